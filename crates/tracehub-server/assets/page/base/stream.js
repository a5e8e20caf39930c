// The one connection that tells what comes in: server-sent events, and coming back when it breaks.

import { address, get, Refusal } from './api.js';
import { Store } from './store.js';

/** Whether the server is there: `connecting`, `live` or `gone`. */
export const connection = new Store('connecting');

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4_000;
/** How long a page that nobody sees keeps its connection. */
const HIDDEN_MS = 20_000;

/**
 * Listens to the entries of all chains whose id begins with `prefix`, from now on. `onOpen` is called each time the
 * connection stands: what was missed before is for the listener to ask for. Gives what ends it.
 */
export function listen({ prefix = '', onOpen, onEntry }) {
  let source = null;
  let timer = null;
  let pause = FIRST_PAUSE_MS;

  function open() {
    close();
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

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function broken() {
    close();
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
  const endWatch = watchSight(open, close);
  return () => {
    endWatch();
    close();
  };
}

/**
 * A browser has six connections for a server and lets everything else wait. So a page gives its own back when it is left,
 * though the browser may keep it to go back to, and when it has been out of sight for a while.
 */
function watchSight(open, close) {
  let timer = null;
  let isClosed = false;
  const leave = () => {
    isClosed = true;
    close();
  };
  const see = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(leave, HIDDEN_MS);
    else if (isClosed) {
      isClosed = false;
      open();
    }
  };
  window.addEventListener('pagehide', leave);
  window.addEventListener('pageshow', see);
  document.addEventListener('visibilitychange', see);
  return () => {
    clearTimeout(timer);
    window.removeEventListener('pagehide', leave);
    window.removeEventListener('pageshow', see);
    document.removeEventListener('visibilitychange', see);
  };
}
