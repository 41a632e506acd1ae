// Files that a visitor gives, and those in folders: { photos: [{ file, name }], skipped: [name] }.

const IMAGE_NAME = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf]|ppm|pgm)$/i;

export function photosOf(files) {
  return sorted([...files].map((file) => ({ file, name: file.webkitRelativePath || file.name || "pasted image" })));
}

// A drop, whose folders are looked through.
export async function photosOfDrop(transfer) {
  // All entries at once: the list is empty when the event is over.
  const dropped = [...transfer.items].filter((item) => item.kind === "file").map((item) => {
    const entry = item.webkitGetAsEntry?.();
    return entry?.isDirectory ? entry : item.getAsFile();
  });
  const found = [];
  for (const item of dropped) {
    if (item instanceof File) found.push({ file: item, name: item.name });
    else if (item) found.push(...await filesIn(item));
  }
  return sorted(found);
}

// A name that none of the others has: folders may hold files of one name, and a chooser doesn't tell folders.
export function numbered(name, taken) {
  let [unique, number] = [name, 1];
  while (taken.has(unique)) unique = `${name} (${number += 1})`;
  taken.add(unique);
  return unique;
}

function sorted(found) {
  const photos = found.filter(({ file, inFolder }) => isImage(file, inFolder));
  const skipped = found.filter((item) => !item.inFolder && !photos.includes(item));
  return { photos, skipped: skipped.map(({ name }) => name) };
}

// A folder may hold anything; of a file that was chosen by itself without a type the server says what it is.
function isImage(file, inFolder) {
  return file.type.startsWith("image/") || IMAGE_NAME.test(file.name) || (file.type === "" && !inFolder);
}

async function filesIn(folder) {
  const found = [];
  for (const entry of await entriesOf(folder)) {
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory) found.push(...await filesIn(entry));
    else found.push({ file: await fileOf(entry), name: entry.fullPath.replace(/^\//, ""), inFolder: true });
  }
  return found;
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {  // a reader gives a hundred at a time
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    all.push(...some);
  }
  return all.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
}

const fileOf = (entry) => new Promise((done, fail) => entry.file(done, fail));
