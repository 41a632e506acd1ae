// What the server says of a file that it can't use, as a sentence that says what to do.

const ADVICE = [
  [/^empty$/, "The file is empty: copy it again."],
  [/^truncated$/, "The file is cut off: copy it again."],
  [/^not an image$/, "This is no image that can be read: choose a JPEG, PNG or WebP."],
  [/^a format that isn't read: (.*)$/, "$1 can't be read: save it as a JPEG, and choose that."],
  [/^too many pixels: (.*)$/, "The image has too many pixels ($1): make it smaller."],
  [/^broken: (.*)$/, "The file is broken ($1): copy it again, or save it anew."],
];

export function advise(message) {
  const [pattern, sentence] = ADVICE.find(([pattern]) => pattern.test(message)) ?? [];
  return sentence ? message.replace(pattern, sentence) : message;
}
