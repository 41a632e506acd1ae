// A large photo made small before it is sent: phones have slow networks, and servers have limits.

import { scaled } from "./scaling.js";
import { Failure } from "./text.js";

const SMALL = 1 << 20;            // bytes; what has no more is sent as it is
const UNREAD = /[./](hei[cf]|avif)$/i;  // of a name or a type: what the server doesn't read, but some browsers do
const pending = new Map();        // id to what is done with the answer

let worker = null;
let lastId = 0;

export async function shrink(file, imageSize) {
  const [, unread] = UNREAD.exec(file.name) ?? UNREAD.exec(file.type) ?? [];
  if (file.size <= SMALL && !unread) return file;
  const blob = await beside(file, imageSize, Boolean(unread));
  if (!blob && unread) {
    throw new Failure(`${unread.toUpperCase()} photos can't be opened by this browser: save it as a JPEG, and choose that.`);
  }
  return blob ?? file;  // the server may read it, and else says why not
}

// In a worker, where the browser has what it takes.
function beside(file, imageSize, anew) {
  if (!("OffscreenCanvas" in globalThis)) return scaled(file, imageSize, anew);
  worker ??= start();
  lastId += 1;
  const id = lastId;
  return new Promise((done) => {
    pending.set(id, done);
    worker.postMessage({ id, file, imageSize, anew });
  });
}

function start() {
  const started = new Worker(new URL("scaling_worker.js", import.meta.url), { type: "module" });
  const finish = (id, blob) => {
    pending.get(id)?.(blob);
    pending.delete(id);
  };
  started.addEventListener("message", ({ data: { id, blob } }) => finish(id, blob));
  // It couldn't be loaded, or broke: the photos go as they are.
  started.addEventListener("error", () => {
    worker = null;
    [...pending.keys()].forEach((id) => finish(id, null));
  });
  return started;
}
