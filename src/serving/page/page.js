// The page: photos in by choice, drop or paste; each is asked for on its own, so that one bad file spoils none.

const AT_ONCE = 2;        // requests under way; the server has one lane, a second hides the network
const SHOWN = 5;          // bars of a photo
const TINY = 96;          // pixels; smaller images are shown with their pixels visible
const NAMED = 12;         // classes named below the empty frame
const BUSY_TRIES = 20;    // how often a photo asks a full queue again

const find = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)}%`;
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

const waiting = [];
let underWay = 0;

function add(files) {
  const images = [...files].filter((file) => file.type === "" || file.type.startsWith("image/"));
  if (files.length && !images.length) say("That is no image.");
  const cards = images.map(makeCard);
  find("cards").prepend(...cards);  // the newest above, each lot in its own order
  images.forEach((file, index) => waiting.push({ file, card: cards[index] }));
  refresh();
  while (underWay < AT_ONCE && waiting.length) work();
}

async function work() {
  underWay += 1;
  while (waiting.length) {
    const { file, card } = waiting.shift();
    if (!card.isConnected) continue;  // cleared
    try {
      show(card, file, await ask(file));
    } catch (error) {
      fail(card, file, error.message);
    }
  }
  underWay -= 1;
}

async function ask(file) {
  const form = new FormData();
  form.append("file", file, file.name || "pasted image");
  form.append("top_k", SHOWN);
  for (let tries = 0; ; tries += 1) {
    const response = await fetch("predict", { method: "POST", body: form }).catch(() => {
      throw new Error("The server can't be reached.");
    });
    if (response.status === 503 && tries < BUSY_TRIES) {
      await pause(Number(response.headers.get("retry-after")) || 1);
      continue;
    }
    const answer = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
    if (!response.ok) throw new Error(answer.error);
    return answer.predictions[0];
  }
}

function makeCard(file) {
  const card = find("card").content.cloneNode(true).firstElementChild;
  card.classList.add("waiting");
  card.querySelector(".file").textContent = file.name;
  card.querySelector(".file").title = file.name;
  const image = card.querySelector("img");
  image.alt = file.name;
  image.onload = () => image.classList.toggle("tiny", Math.max(image.naturalWidth, image.naturalHeight) < TINY);
  image.onerror = () => image.parentElement.classList.add("none");
  image.src = URL.createObjectURL(file);
  return card;
}

function show(card, file, prediction) {
  card.classList.remove("waiting");
  card.querySelector(".best").textContent = prediction.class;
  const bars = prediction.top.map(({ class: name, probability }) => {
    const bar = find("bar").content.cloneNode(true).firstElementChild;
    bar.querySelector(".name").textContent = name;
    bar.querySelector(".name").title = name;
    bar.querySelector(".percent").textContent = percent(probability);
    requestAnimationFrame(() => requestAnimationFrame(() => {
      bar.querySelector(".fill").style.width = percent(probability);
    }));
    return bar;
  });
  card.querySelector(".bars").replaceChildren(...bars);
  say(`${file.name}: ${prediction.class}, ${percent(prediction.probability)}`);
}

function fail(card, file, message) {
  card.classList.replace("waiting", "failed");
  card.querySelector(".best").textContent = message;
  say(`${file.name}: ${message}`);
}

function say(text) {
  find("status").textContent = text;
}

function refresh() {
  const count = find("cards").childElementCount;
  document.body.classList.toggle("filled", count > 0);
  find("results").hidden = count === 0;
  find("count").textContent = plural(count, "photo");
}

function clear() {
  for (const image of find("cards").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  find("cards").replaceChildren();
  waiting.length = 0;
  refresh();
  say("Cleared.");
  find("files").focus();
}

async function describeModel() {
  for (;;) {
    const response = await fetch("readyz").catch(() => null);
    if (response?.ok) break;
    await pause(1);
  }
  const model = await (await fetch("model")).json();
  const name = document.createElement("b");
  name.textContent = model.name;
  find("model").replaceChildren(name, ` · ${model.version}`);
  find("knows").textContent = sentenceOf(model.class_names);
  find("facts").replaceChildren(...Object.entries(factsOf(model)).map(([term, text]) => {
    const fact = document.createElement("div");
    fact.append(Object.assign(document.createElement("dt"), { textContent: term }));
    fact.append(Object.assign(document.createElement("dd"), { textContent: text }));
    return fact;
  }));
  find("classes").replaceChildren(...model.class_names.map((className) =>
    Object.assign(document.createElement("li"), { textContent: className })));
  find("about").hidden = false;
}

function sentenceOf(names) {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return `Knows ${names.length} classes: ${names.slice(0, NAMED).join(", ")}${more}`;
}

function factsOf(model) {
  const facts = {
    Architecture: model.architecture,
    "Trained on": model.dataset,
    Input: `${model.image_size} × ${model.image_size} pixels`,
    Classes: model.class_names.length,
  };
  if ("accuracy" in model.metrics) facts["Test accuracy"] = percent(model.metrics.accuracy);
  return facts;
}

find("files").addEventListener("change", ({ target }) => {
  add(target.files);
  target.value = "";  // the same file may be chosen again
});
find("clear").addEventListener("click", clear);
document.addEventListener("paste", ({ clipboardData }) => add(clipboardData.files));
// The whole window takes a drop: a photo let go beside the frame must not replace the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  find("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").classList.remove("over");
  add(event.dataTransfer.files);
});
find("example").textContent = `curl -F file=@photo.jpg -F top_k=3 ${new URL("predict", location.href)}`;
describeModel();
