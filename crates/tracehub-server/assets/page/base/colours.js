// A colour for each source, the same wherever it is shown.

/** How many there are in style/tokens.css. */
const HUES = 12;

/** Kept for the tab, so that a reload changes no colour. */
const KEY = 'tracehub.colours';
/** Names that are kept: without a bound, names without end would fill the memory. */
const MOST_NAMES = 500;

const given = remembered();
/** How many sources have each colour. */
const uses = new Array(HUES).fill(0);
for (const hue of given.values()) uses[hue] += 1;

function remembered() {
  try {
    return new Map(JSON.parse(sessionStorage.getItem(KEY) ?? '[]'));
  } catch {
    return new Map();
  }
}

function remember() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...given]));
  } catch {
    // Without storage, the colours last as long as the page.
  }
}

/** The class that brings a source's colour. From its name, so that it stays; another, if more sources have that one than have others. */
export function hueOf(source) {
  let hue = given.get(source);
  if (hue === undefined) {
    const fewest = Math.min(...uses);
    hue = hash(source) % HUES;
    while (uses[hue] > fewest) hue = (hue + 5) % HUES;
    uses[hue] += 1;
    if (given.size >= MOST_NAMES) given.clear();
    given.set(source, hue);
    remember();
  }
  return hue;
}

/** Gives the sources of one chain a colour each, as far as there are enough. The first ones keep theirs. */
export function tellApart(sources) {
  const here = new Set();
  for (const source of sources.slice(0, HUES)) {
    let hue = hueOf(source);
    if (here.has(hue)) {
      while (here.has(hue)) hue = (hue + 5) % HUES;
      given.set(source, hue);
      remember();
    }
    here.add(hue);
  }
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
