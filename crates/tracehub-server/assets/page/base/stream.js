// The one connection that tells what comes in: server-sent events, and coming back when it breaks.

import { address, get, Refusal } from './api.js';
import { Store } from './store.js';

/** Whether the server is there: `connecting`, `live` or `gone`. */
export const connection = new Store('connecting');

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4_000;

/**
 * Listens to the entries of all chains whose id begins with `prefix`, from now on. `onOpen` is called each time the
 * connection stands: what was missed before is for the listener to ask for. Gives what ends it.
 */
export function listen({ prefix = '', onOpen, onEntry }) {
  let source = null;
  let timer = null;
  let pause = FIRST_PAUSE_MS;

  function open() {
    timer = null;
    source = new EventSource(address('stream', { correlation_id: prefix }));
    source.onopen = () => {
      pause = FIRST_PAUSE_MS;
      connection.set('live');
      onOpen();
    };
    source.onmessage = onEntry;
    source.onerror = broken;
    source.addEventListener('shutdown', broken);
  }

  function broken() {
    source.close();
    // Half of it by chance, so that many pages do not come back at the same moment.
    timer = setTimeout(open, pause * (0.5 + Math.random() / 2));
    pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
    // An event stream does not say why it failed; a question does.
    get('health').then(
      () => {},
      (error) => {
        if (!(error instanceof Refusal && error.status === 401)) connection.set('gone');
      },
    );
  }

  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
