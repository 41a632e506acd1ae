// What the page asks of the server.

import { advise } from "./advice.js";
import { Failure, pause } from "./text.js";

const BUSY_TRIES = 20;  // how often a photo asks a full queue again

export class Server {
  #key;
  #topK;

  constructor(key, topK) {
    this.#key = key;
    this.#topK = topK;
  }

  // { predictions: [{ class, probability, top }], model: { name, version } }
  async predict(image, name, signal) {
    const form = new FormData();
    form.append("file", image, name);
    form.append("top_k", this.#topK);
    for (let tries = 0; ; tries += 1) {
      const response = await this.#fetch("predict", { method: "POST", body: form, signal });
      if (response.status !== 503 || tries >= BUSY_TRIES) return contentOf(response);
      await pause(Number(response.headers.get("retry-after")) || 1);
    }
  }

  async model() {
    return contentOf(await this.#fetch("model"));
  }

  // Whether the model is loaded; null: nobody answers.
  async ready() {
    const response = await fetch("readyz").catch(() => null);
    return response && response.ok;
  }

  async #fetch(path, options = {}) {
    for (;;) {
      const key = this.#key.value;
      const response = await fetch(path, { ...options, headers: key ? { "X-API-Key": key } : {} }).catch(() => {
        throw new Failure("The server can't be reached.", true);
      });
      if (response.status !== 401) return response;
      if (key === this.#key.value) await this.#key.ask();  // else another request has just got a new one
    }
  }
}

async function contentOf(response) {
  const content = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Failure(advise(content.error), response.status >= 500 || response.status === 408);
  return content;
}
