// What screen readers are told of: gathered for a moment, as a second text would cut the first one short.

import { find } from "./text.js";

const GATHER_MS = 300;
const PROGRESS_MS = 4000;

let gathered = [];
let lastProgress = 0;

export function announce(sentence) {
  if (!gathered.length) setTimeout(tell, GATHER_MS);
  gathered.push(sentence);
}

// Progress: of many only one now and then.
export function announceSoon(sentence) {
  if (performance.now() - lastProgress < PROGRESS_MS) return;
  lastProgress = performance.now();
  announce(sentence);
}

function tell() {
  find("status").textContent = gathered.join(". ");
  gathered = [];
}
