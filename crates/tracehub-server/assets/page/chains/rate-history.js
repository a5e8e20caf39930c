// What came in before anybody looked. Ids of entries follow each other without gaps, so the ids that two moments begin with
// say how many came between.

import { get, serverTime } from '../base/api.js';

/** Seconds between two moments that are asked for. Each is a question that the server looks through its arrivals for. */
const STEP = 30;

/** A function that gives how many entries came in the second that was so many seconds ago, on the average of its half minute. */
export async function history(seconds) {
  const now = serverTime();
  const steps = Math.ceil(seconds / STEP);
  const ids = [];
  for (let step = 0; step <= steps; step += 1) ids.push(await idAt(now - step * STEP * 1000));
  return (ago) => {
    const step = Math.min(steps - 1, Math.floor(ago / STEP));
    return Math.max(0, ids[step] - ids[step + 1]) / STEP;
  };
}

/** The id of the last entry that came before a moment. */
async function idAt(time) {
  return (await get('recent', { since: Math.floor(time / 1000) * 1000, limit: 0 })).last_id;
}
