// Work that is asked for more often than it is worth doing.

/** The longest pause, whatever the work costs: an answer that took half a minute may have waited for a server that hung. */
const MOST_PAUSE_MS = 4_000;
/** How long work that failed is left alone before it is tried again. */
const AGAIN_MS = 2_000;

/**
 * Gives a function that has `work` done: at once, but never twice at a time, and with pauses that grow with what it costs.
 * However often it is called meanwhile, the work is done once more at the end. Work that throws is tried again, by itself.
 */
export function paced(work, pauseMs) {
  let timer = null;
  let isBusy = false;
  let isWanted = false;
  let isEnded = false;

  async function run() {
    timer = null;
    isWanted = false;
    isBusy = true;
    const started = performance.now();
    let least = pauseMs;
    try {
      await work();
    } catch {
      isWanted = true;
      least = AGAIN_MS;
    }
    isBusy = false;
    if (!isEnded) timer = setTimeout(rest, Math.max(least, Math.min(MOST_PAUSE_MS, 3 * (performance.now() - started))));
  }

  function rest() {
    timer = null;
    if (isWanted) run();
  }

  function want() {
    isWanted = true;
    if (!isBusy && timer === null && !isEnded) run();
  }

  /** The same without a pause: for what somebody waits for. */
  want.now = () => {
    clearTimeout(timer);
    timer = null;
    want();
  };

  want.end = () => {
    isEnded = true;
    clearTimeout(timer);
  };
  return want;
}
