// Copying, and saying that it was done.

import { Store } from './store.js';

/** What was said last to whoever did something; empty after a while. */
export const notice = new Store('');

const NOTICE_MS = 2_500;
let timer = null;

/** Says something for a moment; screen readers are told. */
export function say(text) {
  notice.set(text);
  clearTimeout(timer);
  timer = setTimeout(() => notice.set(''), NOTICE_MS);
}

/** Copies a text and says so. */
export async function copy(text, what) {
  try {
    // There is no clipboard on a page that came over plain HTTP from another machine.
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyThroughSelection(text);
    say(`Copied ${what}`);
  } catch {
    say(`The browser does not let the page copy ${what}`);
  }
}

function copyThroughSelection(text) {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'offscreen';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('refused');
}

/** An argument for a shell. */
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
