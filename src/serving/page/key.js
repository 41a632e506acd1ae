// The API key of a server that wants one: asked for in a dialog, and kept until the tab is closed.

import { Failure, find } from "./text.js";

const KEPT_AS = "chrysalis-api-key";
const NONE = "This server wants an API key, and none was entered.";

export class Key {
  #asking = null;
  #refused = false;

  constructor() {
    find("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      find("key-dialog").close(find("key").value.trim());
    });
    find("key-cancel").addEventListener("click", () => find("key-dialog").close(""));
    find("key-dialog").addEventListener("cancel", () => { find("key-dialog").returnValue = ""; });
  }

  get value() {
    return sessionStorage.getItem(KEPT_AS);
  }

  // A visitor who has cancelled isn't asked again until they do something that needs it.
  mayAsk() {
    this.#refused = false;
  }

  // Requests that are refused at the same time ask once.
  ask() {
    if (this.#refused) return Promise.reject(new Failure(NONE, true));
    this.#asking ??= this.#open().finally(() => { this.#asking = null; });
    return this.#asking;
  }

  #open() {
    const dialog = find("key-dialog");
    find("key-wrong").textContent = this.value ? "The server doesn't take this key." : "";
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((done, fail) => {
      dialog.addEventListener("close", () => {
        this.#refused = dialog.returnValue === "";
        find("key").value = "";
        if (this.#refused) {
          sessionStorage.removeItem(KEPT_AS);  // it was a wrong one
          return fail(new Failure(NONE, true));
        }
        sessionStorage.setItem(KEPT_AS, dialog.returnValue);
        return done();
      }, { once: true });
    });
  }
}
