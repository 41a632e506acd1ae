// A photo and what became of it.

import { copyOf, make, percent } from "./text.js";

const TINY = 96;      // pixels; smaller images are shown with their pixels visible
const LEAST = 0.001;  // a class that is less probable has no bar, beyond the first two
const NOT_SHOWN = "image/svg+xml";  // what a browser draws, but no photo

export class Card {
  prediction = null;  // { class, probability, top: [{ class, probability }] }
  model = null;       // { name, version }: who answered
  error = "";
  unsure = false;
  #shown = null;      // the blob whose preview is shown

  constructor(file, name, bars, onAgain) {
    this.file = file;
    this.name = name;
    this.element = copyOf("card");
    this.#part("file").textContent = name;
    this.#part("file").title = name;
    this.#part("bars").append(...Array.from({ length: bars }, () => copyOf("bar")));
    this.#part("again").addEventListener("click", () => onAgain(this));
  }

  get finished() {
    return Boolean(this.prediction || this.error);
  }

  wait() {
    this.error = "";
    this.#state("waiting");
    this.#part("best").textContent = "Waiting…";
    this.#part("again").hidden = true;
  }

  look() {
    this.#part("best").textContent = "Looking…";
  }

  // The photo as it is sent: a phone couldn't hold the previews of many in full size.
  preview(blob) {
    if (blob === this.#shown) return;
    this.#shown = blob;
    const image = this.element.querySelector("img");
    const url = URL.createObjectURL(blob);
    image.onload = () => {
      image.parentElement.classList.toggle("none", blob.type === NOT_SHOWN);
      image.classList.toggle("tiny", Math.max(image.naturalWidth, image.naturalHeight) < TINY);
      URL.revokeObjectURL(url);
    };
    image.parentElement.classList.remove("none");
    image.onerror = () => {
      image.parentElement.classList.add("none");
      URL.revokeObjectURL(url);
    };
    image.alt = this.name;
    image.src = url;
  }

  show({ predictions: [prediction], model }, info, threshold) {
    this.prediction = prediction;
    this.model = model;
    this.#part("bars").replaceChildren(...prediction.top.filter(isShown).map(barOf));
    if (info) this.#tell(info);
    this.label(threshold);
  }

  // Sure or not, which the threshold decides.
  label(threshold) {
    if (!this.prediction) return;
    const { class: name, probability } = this.prediction;
    this.unsure = probability < threshold;
    this.#state(this.unsure ? "unsure" : "sure");
    this.#part("best").textContent = this.unsure ? "Not sure" : name;
    // In a line that is there anyway, so that nothing moves with the threshold.
    this.#part("bars .name").textContent = this.unsure ? `maybe ${name}` : name;
  }

  fail(message, again = false) {
    this.error = message;
    this.#state("failed");
    this.#part("best").textContent = message;
    this.#part("again").hidden = !again;
    if (!this.#shown) this.element.querySelector(".preview").classList.add("none");
  }

  sentence() {
    if (this.error) return `${this.name}: ${this.error}`;
    const { class: name, probability } = this.prediction;
    return `${this.name}: ${this.unsure ? "not sure, maybe " : ""}${name}, ${percent(probability)}`;
  }

  #tell({ text, link }) {
    const parts = text ? [make("span", { textContent: text })] : [];
    if (link) {
      const anchor = make("a", { href: link, target: "_blank", rel: "noopener noreferrer" });
      anchor.append(`More about ${this.prediction.class}`, make("span", { className: "sr-only", textContent: " (opens in a new tab)" }));
      parts.push(" ", anchor);
    }
    this.#part("info").replaceChildren(...parts);
    this.#part("info").hidden = false;
  }

  #state(name) {
    this.element.classList.remove("waiting", "sure", "unsure", "failed");
    this.element.classList.add(name);
  }

  #part(name) {
    return this.element.querySelector(`.${name}`);
  }
}

function isShown({ probability }, rank) {
  return rank < 2 || probability >= LEAST;
}

function barOf({ class: name, probability }) {
  const bar = copyOf("bar");
  bar.querySelector(".name").textContent = name;
  bar.querySelector(".name").title = name;
  bar.querySelector(".percent").textContent = percent(probability);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    bar.querySelector(".fill").style.width = `${100 * probability}%`;
  }));
  return bar;
}
