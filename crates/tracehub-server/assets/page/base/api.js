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

/** Of the statuses below 500, those that say that the same may be asked again: it took too long, it was too much. */
const MAY_BE_REPEATED = [408, 429];

/** Whether a failure stays what it is however often the same is asked. */
export function isFinal(error) {
  return error instanceof Refusal && error.status < 500 && !MAY_BE_REPEATED.includes(error.status);
}

/** How long an answer may take, all of it. The server gives up on a question after seconds; a lost connection never does. */
const ANSWER_MS = 60_000;

/** How far this machine's clock is behind the server's, as far as the last answer tells. */
let clockIsBehindBy = 0;

/** The server's time, to about a second. */
export function serverTime() {
  return Date.now() + clockIsBehindBy;
}

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
  return `traces/${encodeURIComponent(id)}${rest}`;
}

/** Whether an id means a folder in a path, encoded or not, so that no browser can ask for it. */
export function isFolder(id) {
  return id === '.' || id === '..';
}

/** Asks for JSON, as text. */
export function getText(path, parameters, signal, withinMs) {
  return request(address(path, parameters), { signal }, withinMs);
}

/** Asks for JSON. */
export async function get(path, parameters, signal, withinMs) {
  return JSON.parse(await getText(path, parameters, signal, withinMs));
}

/** Sends JSON; the answer has no body. */
export async function post(path, body) {
  await request(address(path), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** The text of an answer. `signal` ends the question; so does the time. */
async function request(url, { signal, ...options }, withinMs = ANSWER_MS) {
  const controller = new AbortController();
  const end = () => controller.abort();
  if (signal?.aborted) end();
  signal?.addEventListener('abort', end);
  const timer = setTimeout(end, withinMs);
  try {
    const answer = await fetch(url, { cache: 'no-store', ...options, signal: controller.signal });
    const said = Date.parse(answer.headers.get('Date'));
    if (Number.isFinite(said)) clockIsBehindBy = said - Date.now();
    if (!answer.ok) throw await refusalOf(answer);
    return await answer.text();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (signal?.aborted) throw new DOMException('not wanted any more', 'AbortError');
    throw new Unreachable('the server does not answer');
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}

async function refusalOf(answer) {
  const refusal = await answer.json().catch(() => ({}));
  if (answer.status === 401) needsSecret.set(true);
  const message = refusal.message ?? `the server answers ${answer.status}`;
  return new Refusal(answer.status, refusal.error ?? '', message, refusal.retry_after ?? 0);
}
