// Small words that several parts of the page need.

export const find = (id) => document.getElementById(id);

export const percent = (share, digits = 1) => {
  const least = 10 ** -digits;
  return share > 0 && 100 * share < least / 2 ? `<${least}%` : `${(100 * share).toFixed(digits)}%`;
};

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

export const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

export const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

export const copyOf = (template) => find(template).content.cloneNode(true).firstElementChild;

// What a photo's card shows in place of an answer.
export class Failure extends Error {
  constructor(message, again = false) {
    super(message);
    this.again = again;  // whether it may go better another time
  }
}
