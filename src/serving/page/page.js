// The page: photos in by choice, drop, paste or camera; each is asked for on its own, so that one bad file
// spoils none.

import { Card } from "./card.js";
import { numbered, photosOf, photosOfDrop } from "./gather.js";
import { Key } from "./key.js";
import { Model } from "./model.js";
import { announce, announceSoon } from "./say.js";
import { Server } from "./server.js";
import { shrink } from "./shrink.js";
import { save, table } from "./table.js";
import { find, percent, plural } from "./text.js";

const AT_ONCE = 2;        // requests under way; the server has one lane, a second hides the network
const SHOWN = 5;          // bars of a photo, at most
const AWAITED = 3;        // bars of a photo that waits
const NAMED_ALOUD = 5;    // photos of a lot that are announced by name; of more, how many are done

const key = new Key();
const server = new Server(key, SHOWN);
const model = new Model(server);

let cards = [];           // as they stand on the page: the newest lot first
let waiting = [];
let underWay = 0;
let clearing = new AbortController();
let lot = { size: 0, done: 0 };  // photos since nothing was under way

function add({ photos, skipped }) {
  find("notice").textContent = skipped.length ? sentenceOfSkipped(skipped) : "";
  if (!photos.length) return;
  if (!underWay && !waiting.length) lot = { size: 0, done: 0 };
  lot.size += photos.length;
  const bars = Math.min(AWAITED, model.classes || AWAITED);
  const taken = new Set(cards.map(({ name }) => name));
  const added = photos.map(({ file, name }) => new Card(file, numbered(name, taken), bars, again));
  cards = [...added, ...cards];
  find("cards").prepend(...added.map((card) => card.element));
  ask(added);
}

function again(card) {
  if (!underWay && !waiting.length) lot = { size: 0, done: 0 };
  lot.size += 1;
  ask([card]);
}

function ask(added) {
  waiting.push(...added);
  added.forEach((card) => card.wait());
  key.mayAsk();
  refresh();
  while (underWay < AT_ONCE && waiting.length) work();
}

async function work() {
  underWay += 1;
  while (waiting.length) {
    const card = waiting.shift();
    const { signal } = clearing;
    card.look();
    try {
      await model.ready();
      const sent = await shrink(card.file, model.imageSize);
      card.preview(sent);
      const answer = await server.predict(sent, card.name, signal);
      await model.seen(answer.model);
      card.show(answer, model.infoOf(answer.predictions[0].class), threshold());
    } catch (error) {
      if (!signal.aborted) card.fail(error.message, error.again);
    }
    if (signal.aborted) continue;
    lot.done += 1;
    tell(card);
    refresh();
  }
  underWay -= 1;
}

function tell(card) {
  if (lot.size <= NAMED_ALOUD) announce(card.sentence());
  else if (lot.done === lot.size) announce(`All ${lot.size} photos are done: ${sentenceOfSummary()}`);
  else announceSoon(`${lot.done} of ${lot.size} photos are done`);
}

function refresh() {
  document.body.classList.toggle("filled", cards.length > 0);
  find("results").hidden = cards.length === 0;
  find("count").textContent = plural(cards.length, "photo");
  find("summary").textContent = sentenceOfSummary();
  const busy = lot.size > 1 && lot.done < lot.size;
  Object.assign(find("progress"), { hidden: !busy, max: lot.size || 1, value: lot.done });
  find("csv").disabled = !cards.some((card) => card.finished);
}

function sentenceOfSummary() {
  const count = (test) => cards.filter(test).length;
  const parts = [
    [count((card) => !card.finished), "to go"],
    [count((card) => card.prediction && card.unsure), "not sure"],
    [count((card) => card.error), "failed"],
  ];
  return parts.filter(([number]) => number).map(([number, what]) => `${number} ${what}`).join(" · ");
}

function sentenceOfSkipped(names) {
  if (names.length === 1) return `${names[0]} is no image.`;
  return `${names.length} files are no images: ${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}.`;
}

function clear() {
  clearing.abort();
  clearing = new AbortController();
  find("cards").replaceChildren();
  [cards, waiting, lot] = [[], [], { size: 0, done: 0 }];
  find("notice").textContent = "";
  refresh();
  announce("Cleared.");
  find("files").focus();
}

// The threshold: the server's own, until it is moved.

let moved = false;

function threshold() {
  return find("threshold").valueAsNumber / 100;
}

function setThreshold(share) {
  find("threshold").value = 100 * share;
  relabel();
}

function relabel() {
  const shown = percent(threshold(), 0);
  find("threshold-value").textContent = shown;
  find("threshold").setAttribute("aria-valuetext", shown);
  cards.forEach((card) => card.label(threshold()));
  find("summary").textContent = sentenceOfSummary();
}

model.onChange = () => {
  const header = key.value ? " -H 'X-API-Key: …'" : "";
  find("example").textContent = `curl -F file=@photo.jpg${header} ${new URL("predict", location.href)}`;
  if (!moved) setThreshold(model.threshold);
};

for (const id of ["files", "camera"]) {
  find(id).addEventListener("change", ({ target }) => {
    add(photosOf(target.files));
    target.value = "";  // the same file may be chosen again
  });
}
find("clear").addEventListener("click", clear);
find("csv").addEventListener("click", () => save(table(cards.filter((card) => card.finished))));
find("threshold").addEventListener("input", () => {
  moved = true;
  relabel();
});
document.addEventListener("paste", ({ clipboardData }) => add(photosOf(clipboardData.files)));
// The whole window takes a drop: a photo let go beside the frame must not replace the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  find("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("drop").classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  find("drop").classList.remove("over");
  add(await photosOfDrop(event.dataTransfer));
});
find("enter-key").addEventListener("click", () => {
  key.mayAsk();
  start();
});

function start() {
  model.ready().catch(() => {});  // the header says why; a photo asks again
}

start();
