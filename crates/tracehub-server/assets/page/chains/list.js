// Pages of the list of chains, as the server gives them.

import { get } from '../base/api.js';

/** Chains on a page. */
const PAGE = 100;
/** How many answers make a page at the most: a filter that fits little has the server look at thousands for each. */
const MOST_ANSWERS = 5;

/** The filters, by the names that they have in the address and in the API. */
export const FILTERS = ['q', 'source', 'endpoint', 'host', 'status', 'min_duration_ms'];

/** The filters in the address. */
export function filtersOf(parameters) {
  return Object.fromEntries(FILTERS.filter((name) => parameters[name]).map((name) => [name, parameters[name]]));
}

/** A page: `{chains, next}`, with the cursor of the page after it, or null at the end. */
export async function load(filters, cursor, signal) {
  const chains = [];
  let next = cursor || null;
  for (let answers = 0; answers < MOST_ANSWERS; answers += 1) {
    const limit = PAGE - chains.length;
    const page = await get('correlations', { ...filters, limit, include: 'complete', cursor: next }, signal);
    chains.push(...page.correlations);
    next = page.next_cursor ?? null;
    if (next === null || chains.length >= PAGE) break;
  }
  return { chains, next };
}
