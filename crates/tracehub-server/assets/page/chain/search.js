// Searching in a chain: words that an entry or call has in it, and a few that ask for more.

import { duration } from '../base/format.js';

const UNITS = { '': 1, us: 0.001, 'µs': 0.001, ms: 1, s: 1000, m: 60_000 };
const FIELDS = { __proto__: null, source: 'source_id', host: 'hostname', op: 'operation', operation: 'operation', endpoint: 'endpoint' };

/** What a search asks for: each part must hold. In quotes, a field's value is all of it. */
export function parse(text) {
  const parts = text.match(/\w+:"(?:[^"\\]|\\.)*"|"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  return parts.map((part) => {
    const longer = /^([<>])(\d+(?:\.\d+)?)(us|µs|ms|s|m|)$/i.exec(part);
    if (longer) return { kind: 'duration', sign: longer[1], ms: Number(longer[2]) * UNITS[longer[3].toLowerCase()] };
    const [, key, rest] = /^(\w+):(.*)$/s.exec(part) ?? [];
    if (key === 'is') return { kind: 'status', value: rest };
    const quoted = unquoted(rest ?? part);
    if (FIELDS[key]) return { kind: 'field', field: FIELDS[key], value: quoted ?? rest.toLowerCase(), isExact: quoted !== null };
    return { kind: 'word', value: (unquoted(part) ?? part.replaceAll('"', '')).toLowerCase() };
  });
}

/** What stands between quotes; null if it is in none. */
function unquoted(text) {
  try {
    return text.startsWith('"') ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** Whether an entry or call has what a part of a search says of a field. */
function hasField(object, { field, value, isExact }) {
  return isExact ? object[field] === value : object[field].toLowerCase().includes(value);
}

/** What finds calls and entries of one chain; the texts that it looks through are made when they are first needed. */
export class Finder {
  #texts;

  constructor(tree, entries) {
    this.tree = tree;
    this.entries = entries;
    this.#texts = new Array(entries?.traces.length ?? 0);
  }

  /** For each call whether it is found. */
  calls(parts) {
    return this.tree.calls.map((call) => parts.every((part) => this.#hasCall(call, part)));
  }

  /** Whether an entry is found. Of a call, it shares status and duration. */
  entry(place, parts) {
    const call = this.tree?.calls[this.entries.calls[place]];
    return parts.every((part) => {
      if (part.kind === 'word') return this.#text(place).includes(part.value);
      if (part.kind === 'field') return hasField(this.entries.traces[place], part);
      return call !== undefined && this.#hasCall(call, part);
    });
  }

  #hasCall(call, part) {
    if (part.kind === 'status') return call.status === part.value;
    if (part.kind === 'field') return hasField(call, part);
    if (part.kind === 'duration') {
      if (call.duration_ms === null) return false;
      return part.sign === '>' ? call.duration_ms > part.ms : call.duration_ms < part.ms;
    }
    if (this.entries) {
      return [call.enter, call.leave, ...call.marks].some((place) => this.entries.has(place) && this.#text(place).includes(part.value));
    }
    return `${call.source_id} ${call.operation} ${call.endpoint} ${call.hostname}`.toLowerCase().includes(part.value);
  }

  #text(place) {
    this.#texts[place] ??= textOf(this.entries.traces[place]);
    return this.#texts[place];
  }
}

function textOf(entry) {
  const data = entry.data === null ? '' : JSON.stringify(entry.data);
  const parts = [entry.source_id, entry.operation, entry.endpoint, entry.hostname, entry.suffix, data, entry.raw_line ?? ''];
  return parts.join('\n').toLowerCase();
}

/** What a search for exactly this value of a field looks like. */
export function searchFor(field, value) {
  return `${field}:${JSON.stringify(value)}`;
}

/** What the reader is told about the search field. */
export const HINT = `Words, source:, host:, op:, endpoint:, is:unfinished, >${duration(50).replace(' ', '')}`;
