// Scales photos beside the page, which stays quick meanwhile: { id, file, imageSize, anew } to { id, blob }.

import { scaled } from "./scaling.js";

addEventListener("message", async ({ data: { id, file, imageSize, anew } }) => {
  const blob = await scaled(file, imageSize, anew).catch(() => null);
  postMessage({ id, blob });
});
