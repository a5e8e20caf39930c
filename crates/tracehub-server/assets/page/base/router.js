// The page's address: what is shown, as query parameters of `/`. Everything in it survives a reload and can be sent.

import { Store } from './store.js';

/** The parameters of the address, as an object of texts. */
export const route = new Store(read());

/** The list that was shown last, to go back to. */
let lastList = '?';

window.addEventListener('popstate', () => route.set(read()));

function read() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

/** The address with exactly these parameters, empty ones left out. */
export function href(parameters) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== '' && value !== null && value !== undefined && value !== false) search.set(name, value);
  }
  // A colon or a slash need no escape in a query; an address that people read has as few as it can.
  const text = search.toString().replaceAll('%2F', '/').replaceAll('%3A', ':');
  return text === '' ? './' : `?${text}`;
}

/** Goes to exactly these parameters. */
export function go(parameters, { replace = false } = {}) {
  const next = href(parameters);
  if (next === (location.search || './')) return;
  if (!('chain' in route.value)) lastList = location.search || './';
  history[replace ? 'replaceState' : 'pushState'](null, '', next);
  route.set(read());
}

/** Changes some parameters and keeps the others; empty ones are taken away. */
export function change(parameters, options) {
  go({ ...route.value, ...parameters }, options);
}

/** The address of the list as it was left. */
export function listHref() {
  return lastList === '?' ? './' : lastList;
}

/** Follows a link within the page without loading it again; other clicks (a new tab, for example) are the browser's. */
export function follow(event) {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const target = new URL(event.currentTarget.href);
  go(Object.fromEntries(target.searchParams));
}
