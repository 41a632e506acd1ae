// The answers as a table for spreadsheets: CSV with a row for each photo.

import { make } from "./text.js";

const FORMULA = /^[=+\-@\t\r]/;

export function table(cards) {
  const ranks = Math.max(1, ...cards.map((card) => card.prediction?.top.length ?? 0));
  const others = Array.from({ length: ranks - 1 }, (_, index) => index + 2);
  const header = ["file", "class", "probability", "sure"];
  header.push(...others.flatMap((rank) => [`class_${rank}`, `probability_${rank}`]), "error", "model", "version");
  return [header, ...cards.map((card) => rowOf(card, others))].map((row) => row.map(cell).join(",")).join("\r\n");
}

function rowOf({ name, prediction, unsure, error, model }, others) {
  const top = prediction?.top ?? [];
  const ranked = (rank) => [top[rank - 1]?.class, top[rank - 1]?.probability.toFixed(4)];
  const sure = prediction && (unsure ? "no" : "yes");
  return [name, ...ranked(1), sure, ...others.flatMap(ranked), error, model?.name, model?.version];
}

function cell(value) {
  const text = String(value ?? "");
  const plain = FORMULA.test(text) ? `'${text}` : text;  // no spreadsheet may run what a file is called
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export function save(text) {
  const file = new Blob(["\ufeff", text, "\r\n"], { type: "text/csv" });  // Excel takes UTF-8 only with its mark
  const link = make("a", { href: URL.createObjectURL(file), download: "predictions.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
