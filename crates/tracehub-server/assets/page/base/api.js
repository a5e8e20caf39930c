// Questions to the server. Addresses are relative to the page's, so that a proxy may put the server under any path.

import { Store } from './store.js';

/** Whether the server asks for a secret that this browser has not given. */
export const needsSecret = new Store(false);

/** An answer that is a refusal. */
export class Refusal extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** No answer at all. */
export class Unreachable extends Error {}

/** The full address of a route, with the parameters that are not empty. */
export function address(path, parameters = {}) {
  const url = new URL(path, document.baseURI);
  url.search = '';
  url.hash = '';
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== '' && value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  return url.href;
}

/** The path of a chain, or of something of it. */
export function chainPath(id, rest = '') {
  // A dot or two by themselves would be taken for a folder, encoded or not, by whatever lies between.
  return `traces/${encodeURIComponent(id)}${rest}`;
}

/** Asks for JSON, as text. */
export async function getText(path, parameters, signal) {
  const answer = await request(address(path, parameters), { signal });
  return answer.text();
}

/** Asks for JSON. */
export async function get(path, parameters, signal) {
  return JSON.parse(await getText(path, parameters, signal));
}

/** Sends JSON; the answer has no body. */
export async function post(path, body) {
  await request(address(path), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function request(url, options) {
  let answer;
  try {
    answer = await fetch(url, { cache: 'no-store', ...options });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Unreachable('the server does not answer');
  }
  if (answer.ok) return answer;
  const refusal = await answer.json().catch(() => ({}));
  if (answer.status === 401) needsSecret.set(true);
  const message = refusal.message ?? `the server answers ${answer.status}`;
  throw new Refusal(answer.status, refusal.error ?? '', message, refusal.retry_after ?? 0);
}
