// A chain made ready for drawing: computed once when it comes, so that scrolling costs nothing.

import { hash } from '../base/colours.js';
import { entriesOf, memberText } from '../base/json-text.js';

/** Silences that are worth naming: as many, each such a part of the chain and of the longest, in a chain of so many entries. */
const MOST_SILENCES = 3;
const SILENCE_SHARE = 0.15;
const SHARE_OF_LONGEST = 0.6;
const SILENCE_ENTRIES = 6;

/** The calls as a tree. `calls` is in the order of drawing, each call before those inside it. */
export class Tree {
  constructor(calls) {
    this.calls = calls;
    this.ends = subtreeEnds(calls);
    this.keys = keysOf(calls);
    this.places = new Map(this.keys.map((key, place) => [key, place]));
    this.free = new Map();
  }

  hasInside(place) {
    return this.ends[place] > place + 1;
  }

  /** The calls directly inside one. */
  inside(place) {
    const found = [];
    for (let each = place + 1; each < this.ends[place]; each = this.ends[each]) found.push(each);
    return found;
  }

  /** The places of the calls to draw. `matches`, if there is a search, says which; else those in no collapsed call. */
  rows(collapsed, matches) {
    const rows = [];
    if (matches) {
      this.calls.forEach((_, place) => matches[place] && rows.push(place));
      return rows;
    }
    for (let place = 0; place < this.calls.length; ) {
      rows.push(place);
      place = collapsed.has(this.keys[place]) ? this.ends[place] : place + 1;
    }
    return rows;
  }

  /** The stretches of a finished call that no call inside it covers, as pairs of times. */
  selfTimes(place) {
    if (!this.free.has(place)) this.free.set(place, this.#selfTimes(place));
    return this.free.get(place);
  }

  #selfTimes(place) {
    const { start, end } = this.calls[place];
    const covered = this.inside(place)
      .map((each) => this.calls[each])
      .filter((call) => call.start !== null)
      .map((call) => [Math.max(start, call.start), Math.min(end, call.end ?? end)])
      .sort((a, b) => a[0] - b[0]);
    const free = [];
    let at = start;
    for (const [from, to] of covered) {
      if (from > at) free.push([at, from]);
      at = Math.max(at, to);
    }
    if (at < end) free.push([at, end]);
    return free;
  }
}

/** For each call the place after the last one inside it. */
function subtreeEnds(calls) {
  const ends = new Int32Array(calls.length);
  const open = [];
  calls.forEach((call, place) => {
    while (open.length > call.depth) ends[open.pop()] = place;
    open.push(place);
  });
  while (open.length > 0) ends[open.pop()] = calls.length;
  return ends;
}

/** A name for each call that stays when others come: for addresses, and for what is collapsed. */
function keysOf(calls) {
  const times = new Map();
  return calls.map((call) => {
    const text = [call.source_id, call.hostname, call.operation, call.endpoint, call.start ?? call.end].join('\0');
    const key = hash(text).toString(36);
    const time = (times.get(key) ?? 0) + 1;
    times.set(key, time);
    return time === 1 ? key : `${key}.${time}`;
  });
}

/** The entries of a chain: when each happened with clocks corrected, in what order, and in which call. */
export class Entries {
  #spans = null;

  constructor(traces, text, answer) {
    this.traces = traces;
    this.text = text;
    const offsets = new Map((answer?.skew ?? []).map((skew) => [skew.hostname, skew.offset_ms]));
    this.times = traces.map((entry) => entry.timestamp + (offsets.get(entry.hostname) ?? 0));
    this.order = traces.map((_, place) => place);
    if (offsets.size > 0) this.order.sort((a, b) => this.times[a] - this.times[b] || a - b);
    this.calls = callsOfEntries(traces.length, answer?.calls ?? []);
    this.silences = silencesOf(this.order, this.times);
    this.hosts = hostsOf(traces, offsets);
  }

  /** Whether the entry at a place that a call names is there. The calls may be of another moment. */
  has(place) {
    return place !== null && place < this.traces.length;
  }

  /** An entry as the server sent it, to the digit. */
  entryText(place) {
    return this.text.slice(...this.#span(place));
  }

  /** The same of its `data`. */
  dataText(place) {
    return memberText(this.text, this.#span(place)[0], 'data');
  }

  #span(place) {
    this.#spans ??= entriesOf(this.text);
    return this.#spans[place];
  }
}

/** The longest times in which nobody logged anything: between which entries, longest first. */
function silencesOf(order, times) {
  if (order.length < SILENCE_ENTRIES) return [];
  const least = (times[order.at(-1)] - times[order[0]]) * SILENCE_SHARE;
  const found = [];
  for (let row = 1; row < order.length; row += 1) {
    const [after, before] = [order[row - 1], order[row]];
    const duration = times[before] - times[after];
    if (duration > least) found.push({ after, before, duration });
  }
  found.sort((a, b) => b.duration - a.duration);
  return found.filter((each) => each.duration >= found[0].duration * SHARE_OF_LONGEST).slice(0, MOST_SILENCES);
}

/** Each host by name: how many entries came from it, and what was added to its times. */
function hostsOf(traces, offsets) {
  const counts = new Map();
  for (const { hostname } of traces) counts.set(hostname, (counts.get(hostname) ?? 0) + 1);
  const hosts = [...counts].map(([host, entries]) => ({ host, entries, offset: offsets.get(host) ?? 0 }));
  return hosts.sort((a, b) => (a.host < b.host ? -1 : 1));
}

/** For each entry the call that it belongs to; -1 for none. */
function callsOfEntries(count, calls) {
  const found = new Int32Array(count).fill(-1);
  calls.forEach((call, place) => {
    if (call.enter !== null) found[call.enter] = place;
    if (call.leave !== null) found[call.leave] = place;
    for (const mark of call.marks) found[mark] = place;
  });
  return found;
}

/** The span of time that a chain takes on the page, to which unfinished calls last. */
export function spanOf(answer, now) {
  const start = answer.start ?? 0;
  const end = answer.end ?? 0;
  const length = Math.max(end - start, 0.001);
  if (!answer.calls.some((call) => call.status === 'unfinished')) return { start, end: start + length, isOpen: false };
  const silence = now - end;
  // Of a chain that is going on, "now" belongs to the picture. A day later it would leave no room for anything else.
  if (silence >= 0 && silence < Math.max(30_000, 3 * length)) return { start, end: Math.max(now, start + length), isOpen: true };
  return { start, end: start + length * 1.06, isOpen: false };
}
