// Searching in a chain: words that an entry or call has in it, and a few that ask for more.

import { duration } from '../base/format.js';

const UNITS = { '': 1, us: 0.001, 'µs': 0.001, ms: 1, s: 1000, m: 60_000 };
const FIELDS = { source: 'source_id', host: 'hostname', op: 'operation', operation: 'operation', endpoint: 'endpoint' };

/** What a search asks for: each part must hold. */
export function parse(text) {
  const parts = text.match(/\w+:"[^"]*"|"[^"]*"|\S+/g) ?? [];
  return parts.map((part) => {
    const longer = /^([<>])(\d+(?:\.\d+)?)(us|µs|ms|s|m|)$/i.exec(part);
    if (longer) return { kind: 'duration', sign: longer[1], ms: Number(longer[2]) * UNITS[longer[3].toLowerCase()] };
    const field = /^(\w+):"?([^"]*)"?$/.exec(part);
    if (field && field[1] === 'is') return { kind: 'status', value: field[2] };
    if (field && FIELDS[field[1]]) return { kind: 'field', field: FIELDS[field[1]], value: field[2].toLowerCase() };
    return { kind: 'word', value: part.replaceAll('"', '').toLowerCase() };
  });
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
      if (part.kind === 'field') return this.entries.traces[place][part.field].toLowerCase().includes(part.value);
      return call !== undefined && this.#hasCall(call, part);
    });
  }

  #hasCall(call, part) {
    if (part.kind === 'status') return call.status === part.value;
    if (part.kind === 'field') return call[part.field].toLowerCase().includes(part.value);
    if (part.kind === 'duration') {
      if (call.duration_ms === null) return false;
      return part.sign === '>' ? call.duration_ms > part.ms : call.duration_ms < part.ms;
    }
    if (this.entries) {
      return [call.enter, call.leave, ...call.marks].some((place) => place !== null && this.#text(place).includes(part.value));
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

/** What a search for one source looks like. */
export function sourceSearch(source) {
  return /[\s"]/.test(source) ? `source:"${source.replaceAll('"', '')}"` : `source:${source}`;
}

/** What the reader is told about the search field. */
export const HINT = `Words, source:, host:, op:, endpoint:, is:unfinished, >${duration(50).replace(' ', '')}`;
