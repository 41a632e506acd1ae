// A large photo made small before it is sent: phones have slow networks, and servers have limits.

import { Failure } from "./text.js";

const SMALL = 1 << 20;       // bytes; what has no more is sent as it is
const SHARPEST = 4;          // times the network's input: more can't change its answer
const SHOWABLE = 1024;       // pixels of the longest side, at least: it is the preview, too
const QUALITY = 0.9;
const UNREAD = /\.hei[cf]$/i;  // a phone's own format, which the server doesn't read, but some browsers do

export async function shrink(file, imageSize) {
  const unread = UNREAD.test(file.name) || /^image\/hei[cf]/.test(file.type);
  if (file.size <= SMALL && !unread) return file;
  const bitmap = await decode(file);
  if (!bitmap && unread) {
    throw new Failure("HEIC photos can't be opened by this browser: save it as a JPEG, and choose that.");
  }
  if (!bitmap) return file;  // the server may read it, and else says why not
  try {
    const scale = scaleOf(bitmap, imageSize);
    if (scale === 1 && !unread) return file;
    const jpeg = await encode(bitmap, scale);
    return jpeg && (unread || jpeg.size < file.size) ? jpeg : file;
  } finally {
    bitmap.close();
  }
}

async function decode(file) {
  try {
    // Upright, and with the colours' numbers as they are in the file: the server does the same.
    return await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    return null;
  }
}

// The shorter side stays twice the input's at least: of a panorama the network sees the middle.
function scaleOf({ width, height }, imageSize) {
  const longest = Math.max(SHARPEST * imageSize, SHOWABLE) / Math.max(width, height);
  const shorter = 2 * imageSize / Math.min(width, height);
  return Math.min(1, Math.max(longest, shorter));
}

function encode(bitmap, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";  // what the server lays transparency on
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
}
