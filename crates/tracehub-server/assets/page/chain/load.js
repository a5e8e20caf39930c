// A chain from the server: its calls and its entries, of the same moment.

import { chainPath, get, getText, isFolder, Refusal } from '../base/api.js';

/** How often both are asked for again when an entry came between the two answers. */
const MOST_TRIES = 3;

/**
 * `{calls, traces, text}`: the answers of `/calls` and of the chain itself, and the text of the latter. `calls` is null for
 * a chain that is too large to be analysed. `onCalls` gets the calls as soon as they are there. Of a chain that changes all
 * the time, the two may not be of the same moment after all.
 */
export async function loadChain(id, skew, { signal, onCalls }) {
  if (isFolder(id)) throw new Refusal(0, 'folder', 'A browser cannot ask for this id: in an address, dots alone mean a folder.');
  for (let tries = 1; ; tries += 1) {
    const asked = get(chainPath(id, '/calls'), { skew }, signal).catch(tooLarge);
    const askText = () => getText(chainPath(id), {}, signal);
    // At the last, calls without some of the entries are better than entries that are not there yet.
    const askedText = tries === MOST_TRIES ? asked.then(askText) : askText();
    // Whichever fails first is reported; the other must not be an unhandled failure.
    askedText.catch(() => {});
    const calls = await asked;
    if (calls) onCalls(calls);
    const text = await askedText;
    const { traces } = JSON.parse(text);
    if (calls === null || calls.count === traces.length || tries === MOST_TRIES) return { calls, traces, text };
  }
}

function tooLarge(error) {
  if (error instanceof Refusal && error.code === 'chain_too_large') return null;
  throw error;
}
