// Work that is asked for more often than it is worth doing.

/**
 * Gives a function that has `work` done: at once, but never twice at a time, and with pauses that grow with what it costs.
 * However often it is called meanwhile, the work is done once more at the end.
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
    try {
      await work();
    } finally {
      isBusy = false;
      const pause = Math.max(pauseMs, 3 * (performance.now() - started));
      if (!isEnded) timer = setTimeout(rest, pause);
    }
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
