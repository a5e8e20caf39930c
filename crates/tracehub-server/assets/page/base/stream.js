// The one connection that tells what comes in: server-sent events, and coming back when it breaks.

import { address, get, Refusal } from './api.js';
import { Store } from './store.js';

/** Whether the server is there: `connecting`, `live` or `gone`. */
export const connection = new Store('connecting');
/** Why the server says that it takes no entries, as a word of its own; empty if it does not say why, null while it takes them. */
export const trouble = new Store(null);

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4_000;
/** How long a page that nobody sees keeps its connection. */
const HIDDEN_MS = 20_000;
/** After so long without an entry the server is asked whether it is there: a line that is cut in the middle says nothing. */
const SILENT_MS = 5_000;
/** How long it may take to say so. */
const HEALTH_MS = 4_000;

/**
 * Listens to the entries of all chains whose id begins with `prefix`, from now on. `onOpen` is called each time the
 * connection stands, and now and then while there is none: what was missed is for the listener to ask for. Gives what
 * ends it.
 */
export function listen({ prefix = '', onOpen, onEntry }) {
  let source = null;
  let timer = null;
  let pause = FIRST_PAUSE_MS;
  let heard = 0;
  let isEnded = false;

  function open() {
    close();
    const mine = new EventSource(address('stream', { correlation_id: prefix }));
    source = mine;
    heard = performance.now();
    mine.onopen = () => {
      pause = FIRST_PAUSE_MS;
      heard = performance.now();
      connection.set('live');
      onOpen();
    };
    mine.onmessage = (event) => {
      heard = performance.now();
      // What comes in was taken.
      trouble.set(null);
      onEntry(event);
    };
    mine.onerror = broken;
    mine.addEventListener('shutdown', broken);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  /** Ends the connection for a while. */
  function leave() {
    close();
    if (connection.value === 'live') connection.set('connecting');
  }

  function broken() {
    leave();
    // Half of it by chance, so that many pages do not come back at the same moment.
    timer = setTimeout(open, pause * (0.5 + Math.random() / 2));
    pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
    // An event stream does not say why it failed; a question does. A server that has no stream to give still has answers.
    isThere().then((is) => {
      // The stream may be back before the answer, and then it has said all of this.
      if (isEnded || source?.readyState === EventSource.OPEN) return;
      report(is);
      if (is) onOpen();
    });
  }

  /** Says what an answer means for a connection that does not stand. */
  function report(is) {
    if (!is) connection.set('gone');
    else if (connection.value === 'gone') connection.set('connecting');
  }

  async function listenForSilence() {
    if (source === null || performance.now() - heard < SILENT_MS) return;
    const asked = source;
    const at = performance.now();
    heard = at;
    const is = await isThere();
    // Another connection, or an entry, has said more in the meantime.
    if (source !== asked || heard !== at) return;
    if (!is) broken();
    report(is);
  }

  const pulse = setInterval(listenForSilence, SILENT_MS / 5);
  const endWatch = watchSight(open, leave);
  return () => {
    isEnded = true;
    clearInterval(pulse);
    endWatch();
    close();
  };
}

/** Asks the server how it is. That it asks for a secret is an answer too. */
async function isThere() {
  try {
    const { status, reason } = await get('health', {}, undefined, HEALTH_MS);
    trouble.set(status === 'degraded' ? (reason ?? '') : null);
    return true;
  } catch (error) {
    return error instanceof Refusal;
  }
}

/**
 * A browser has six connections for a server and lets everything else wait. So a page gives its own back when it is left,
 * though the browser may keep it to go back to, and when it has been out of sight for a while. One that nobody has seen yet
 * takes none.
 */
function watchSight(open, close) {
  let timer = null;
  let isClosed = true;
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
  see();
  return () => {
    clearTimeout(timer);
    window.removeEventListener('pagehide', leave);
    window.removeEventListener('pageshow', see);
    document.removeEventListener('visibilitychange', see);
  };
}
