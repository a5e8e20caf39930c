// JSON as the text that it is: parts of it, and it laid out for reading. Parsing would round large numbers and sort keys.

import { name } from './format.js';

/** The texts of the entries in an answer to `GET /traces/{id}`, as pairs of places in it. */
export function entriesOf(text) {
  const places = [];
  let at = member(text, 0, 'traces');
  if (at === -1) return places;
  at = skipSpace(text, at + 1);
  while (text[at] !== ']') {
    const end = skipValue(text, at);
    places.push([at, end]);
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return places;
}

/** The text of one member of the object that begins at a place; empty if it has none. */
export function memberText(text, at, key) {
  const start = member(text, at, key);
  return start === -1 ? '' : text.slice(start, skipValue(text, start));
}

/** Where the value of a member begins; -1 if there is none. */
function member(text, at, key) {
  const wanted = JSON.stringify(key);
  at = skipSpace(text, at + 1);
  while (text[at] === '"') {
    const end = skipString(text, at);
    const isWanted = text.slice(at, end) === wanted;
    at = skipSpace(text, skipSpace(text, end) + 1);
    if (isWanted) return at;
    at = skipSpace(text, skipValue(text, at));
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return -1;
}

/** The text with a line for each member and element, indented; empty ones and short lists of numbers stay on a line. */
export function pretty(text) {
  const out = [];
  let indent = '\n';
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const character = text[at];
    if (character === '"') {
      const end = skipString(text, at);
      out.push(readable(text.slice(at, end)));
      at = end;
    } else if (character === '{' || character === '[') {
      const inside = skipSpace(text, at + 1);
      if (text[inside] === '}' || text[inside] === ']') {
        out.push(character, text[inside]);
        at = inside + 1;
      } else {
        indent += '  ';
        out.push(character, indent);
        at += 1;
      }
    } else if (character === '}' || character === ']') {
      indent = indent.slice(0, -2);
      out.push(indent, character);
      at += 1;
    } else if (character === ',') {
      out.push(',', indent);
      at += 1;
    } else if (character === ':') {
      out.push(': ');
      at += 1;
    } else {
      const end = skipValue(text, at);
      out.push(text.slice(at, end));
      at = end;
    }
    at = skipSpace(text, at);
  }
  return out.join('');
}

/** A string's text with letters in the place of escapes, but for those that would show nothing. */
function readable(text) {
  try {
    return name(JSON.stringify(JSON.parse(text)));
  } catch {
    return text;
  }
}

function skipSpace(text, at) {
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\t' || text[at] === '\r') at += 1;
  return at;
}

function skipString(text, at) {
  let end = at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end + 1;
}

function skipValue(text, at) {
  if (text[at] === '"') return skipString(text, at);
  if (text[at] !== '{' && text[at] !== '[') {
    let end = at + 1;
    while (end < text.length && !',]} \n\t\r'.includes(text[end])) end += 1;
    return end;
  }
  let depth = 0;
  while (at < text.length) {
    const character = text[at];
    if (character === '"') {
      at = skipString(text, at);
      continue;
    }
    if (character === '{' || character === '[') depth += 1;
    if (character === '}' || character === ']') depth -= 1;
    at += 1;
    if (depth === 0) break;
  }
  return at;
}
