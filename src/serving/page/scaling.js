// A photo as a smaller JPEG; for the page and for its worker alike.

const SHARPEST = 4;      // times the network's input: more can't change its answer
const SHOWABLE = 1024;   // pixels of the longest side, at least: it is the preview, too
const QUALITY = 0.9;

// A JPEG; the file itself where that is no larger, unless it must be `anew`; null where it can't be decoded.
export async function scaled(file, imageSize, anew) {
  const bitmap = await decode(file);
  if (!bitmap) return null;
  try {
    const scale = scaleOf(bitmap, imageSize);
    if (scale === 1 && !anew) return file;
    const jpeg = await encode(bitmap, scale);
    return anew || jpeg.size < file.size ? jpeg : file;
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
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = canvasOf(width, height);
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";  // what the server lays transparency on
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  if (canvas.convertToBlob) return canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
}

function canvasOf(width, height) {
  if ("OffscreenCanvas" in globalThis) return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement("canvas"), { width, height });
}
