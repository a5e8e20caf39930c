// What a sequence diagram is made of: lanes, events and activations.

import { duration } from '../base/format.js';

/** The lane of what is no source of the chain: where the first calls come from. */
export const OUTSIDE = -1;
/** How many calls of one source within each other are drawn beside each other. */
const MOST_LEVELS = 3;

/**
 * Lanes in the order of their first appearance, events in the order of time, and when which call was going on. With a
 * search, the events that it finds and their calls.
 */
export function diagramOf(tree, entries, finder, parts) {
  if (!tree || !entries) return { lanes: [], events: [], activations: [] };
  const lanes = new Map();
  const laneOf = (source) => {
    if (!lanes.has(source)) lanes.set(source, lanes.size);
    return lanes.get(source);
  };
  const shown = parts.length === 0 ? entries.order : entries.order.filter((place) => finder.entry(place, parts));
  const rows = new Map(shown.map((place, row) => [place, row]));
  const events = shown.map((place) => eventOf(place, tree, entries, laneOf));
  const activations = tree.calls.flatMap((call, place) => {
    const [enter, leave] = [rows.get(call.enter), rows.get(call.leave)];
    if (enter === undefined && leave === undefined) return [];
    const to = leave ?? (call.leave === null ? events.length - 0.5 : enter);
    return [{ call: place, lane: laneOf(call.source_id), level: levelOf(tree, call), from: enter ?? leave, to }];
  });
  return { lanes: [...lanes.keys()], events, activations };
}

function eventOf(place, tree, entries, laneOf) {
  const entry = entries.traces[place];
  const call = entries.calls[place];
  const { parent, duration_ms: took, operation, endpoint } = tree.calls[call] ?? {};
  const isPart = call !== -1 && (entry.direction === '->' || entry.direction === '<-');
  // The caller's lane comes before that of what it calls.
  const caller = isPart && parent !== null ? laneOf(tree.calls[parent].source_id) : OUTSIDE;
  const lane = laneOf(entry.source_id);
  const event = { source: entry.source_id, call, time: entries.times[place], from: lane, to: lane, kind: 'mark', label: entry.direction };
  if (!isPart) return event;
  if (entry.direction === '->') return { ...event, kind: 'enter', from: caller, label: `${operation} ${endpoint}` };
  return { ...event, kind: 'leave', to: caller, label: took === null ? 'no enter' : duration(took) };
}

/** How many calls of its own source a call lies in. */
function levelOf(tree, call) {
  let level = 0;
  for (let parent = call.parent; parent !== null && level < MOST_LEVELS; parent = tree.calls[parent].parent) {
    if (tree.calls[parent].source_id === call.source_id) level += 1;
  }
  return level;
}
