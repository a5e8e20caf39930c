// A colour for each source, the same wherever it is shown.

/** How many there are in style/tokens.css. */
const HUES = 12;

const given = new Map();
const taken = new Set();

/** The class that brings a source's colour. From its name, so that it stays; the next one if another source has that. */
export function hueOf(source) {
  let hue = given.get(source);
  if (hue === undefined) {
    hue = hash(source) % HUES;
    for (let tries = 0; tries < HUES && taken.has(hue); tries += 1) hue = (hue + 5) % HUES;
    taken.add(hue);
    if (taken.size === HUES) taken.clear();
    // Names without end must not fill the memory.
    if (given.size > 1_000) given.clear();
    given.set(source, hue);
  }
  return hue;
}

/** The name of the class. */
export function hueClass(source) {
  return `hue-${hueOf(source)}`;
}

/** What the class looks like right now, for a canvas. */
export function hueColours(property) {
  const probe = document.createElement('i');
  document.body.append(probe);
  const colours = Array.from({ length: HUES }, (_, hue) => {
    probe.className = `hue-${hue} probe-${property}`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return colours;
}

/** A number of 53 bits made of a text. Not for secrets. */
export function hash(text) {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let place = 0; place < text.length; place += 1) {
    const code = text.charCodeAt(place);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}
