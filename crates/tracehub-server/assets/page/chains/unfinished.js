// Which call of an incomplete chain has been open longest. The list does not say, so each chain in sight is asked once for
// each state that it has had.

import { chainPath, get, isFolder } from '../base/api.js';
import { Store } from '../base/store.js';

/** Chains of more entries are not looked into from the list. */
const MOST_ENTRIES = 1_000;
/** How many are asked at a time, and how many answers are kept. */
const AT_A_TIME = 2;
const MOST_KEPT = 400;

/**
 * By id: `{count, call, orphans, question}`: the call that was entered first and not left, or null; how many leaves lack an
 * enter; which question that answers.
 */
export const oldestCalls = new Store(new Map());

let waiting = [];
let running = 0;
let questions = 0;

/** Has these chains looked into, in this order, in the place of those asked for before. */
export function lookInto(chains) {
  const known = oldestCalls.value;
  const isNews = ({ correlation_id: id, trace_count: count }) => known.get(id)?.count !== count && !isFolder(id);
  waiting = chains.filter((chain) => !chain.complete && chain.trace_count <= MOST_ENTRIES && isNews(chain));
  while (running < AT_A_TIME && waiting.length > 0) work();
}

async function work() {
  running += 1;
  questions += 1;
  const question = questions;
  const chain = waiting.shift();
  try {
    const answer = await get(chainPath(chain.correlation_id, '/calls'));
    const open = answer.calls.filter((call) => call.status === 'unfinished');
    const call = open.reduce((oldest, each) => (oldest === null || each.start < oldest.start ? each : oldest), null);
    const orphans = answer.calls.filter((each) => each.status === 'orphan').length;
    keep(chain.correlation_id, { count: chain.trace_count, call, orphans, question });
  } catch {
    // The list is right without it.
  }
  running -= 1;
  if (waiting.length > 0) work();
}

function keep(id, found) {
  // Two questions about a chain may be under way, and the later one be answered first. Its count may be the lower one: entries
  // are deleted, too.
  if (oldestCalls.value.get(id)?.question > found.question) return;
  const kept = new Map(oldestCalls.value);
  kept.delete(id);
  kept.set(id, found);
  while (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  oldestCalls.set(kept);
}
