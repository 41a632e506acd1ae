// The model that the server has: who it is in the header, what it knows below.

import { find, make, pause, percent } from "./text.js";

const NAMED = 12;  // classes named below the empty frame

export class Model {
  onChange = () => {};
  #server;
  #told = null;         // what /model said
  #asked = null;        // the promise of it
  #info = new Map();

  constructor(server) {
    this.#server = server;
  }

  get imageSize() { return this.#told.image_size; }
  get threshold() { return this.#told.threshold; }
  get classes() { return this.#told?.class_names.length; }

  // { text, link } or undefined.
  infoOf(className) {
    return this.#info.get(className);
  }

  // Resolves once it is known.
  ready() {
    this.#asked ??= this.#ask().catch((error) => {
      this.#asked = null;
      find("model").textContent = error.message;
      find("enter-key").hidden = !error.message.includes("API key");
      throw error;
    });
    return this.#asked;
  }

  // Who answered: another one was loaded meanwhile, if it isn't the one that is shown.
  async seen({ name, version }) {
    if (name === this.#told.name && version === this.#told.version) return;
    this.#asked = null;
    await this.ready();
  }

  async #ask() {
    for (;;) {
      const ready = await this.#server.ready();
      if (ready) break;
      find("model").textContent = ready === null ? "The server can't be reached. Trying again…" : "Loading the model…";
      await pause(1);
    }
    this.#told = await this.#server.model();
    this.#info = new Map(Object.entries(this.#told.class_info));
    this.#describe();
    this.onChange();
  }

  #describe() {
    const told = this.#told;
    document.title = `${told.name} · Chrysalis`;
    find("enter-key").hidden = true;
    find("model").replaceChildren(make("b", { textContent: told.name }), ` · version ${told.version}`);
    find("knows").textContent = sentenceOf(told.class_names);
    find("facts").replaceChildren(...Object.entries(factsOf(told)).map(([term, text]) => {
      const fact = make("div");
      fact.append(make("dt", { textContent: term }), make("dd", { textContent: text }));
      return fact;
    }));
    find("classes").replaceChildren(...told.class_names.map((name) => make("li", { textContent: name })));
    find("about").hidden = false;
  }
}

function sentenceOf(names) {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return `Knows ${names.length} classes: ${names.slice(0, NAMED).join(", ")}${more}`;
}

function factsOf(told) {
  const facts = {
    Architecture: told.architecture,
    "Trained on": told.dataset,
    Made: `${told.created_at.slice(0, 16).replace("T", " ")} UTC`,
    Input: `${told.image_size} × ${told.image_size} pixels`,
    Classes: told.class_names.length,
  };
  if ("accuracy" in told.metrics) facts["Test accuracy"] = percent(told.metrics.accuracy);
  return facts;
}
