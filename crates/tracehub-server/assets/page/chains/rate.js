// How many entries come in: the last minutes, counted from the stream.

import { html, useEffect, useState } from '../../vendor/preact-htm.js';
import { count } from '../base/format.js';
import { useStore } from '../base/store.js';
import { connection } from '../base/stream.js';
import { history } from './rate-history.js';

/** Seconds that are kept and drawn. */
const SECONDS = 180;
const HEIGHT = 22;

/** Counts by second; null for those that nobody has counted. */
export class Counter {
  counts = new Array(SECONDS).fill(null);
  now = 0;
  #ended = performance.now();

  add() {
    this.now += 1;
  }

  /** Ends a second. A page out of sight is late with that, and a page without a connection has counted nothing. */
  tick(isLive) {
    const seconds = Math.max(1, Math.round((performance.now() - this.#ended) / 1000));
    this.#ended = performance.now();
    const missed = new Array(Math.min(SECONDS, seconds - 1)).fill(null);
    this.counts = [...this.counts, ...missed, isLive ? this.now : null].slice(-SECONDS);
    this.now = 0;
  }

  /** Fills what was not counted: `of(seconds)` says how many came so many seconds ago. */
  fill(of) {
    this.counts = this.counts.map((each, place) => each ?? of(SECONDS - 1 - place));
  }
}

export function Rate({ counter, isFiltered }) {
  const [, draw] = useState(0);
  const isLive = useStore(connection) === 'live';
  useEffect(() => {
    const again = () => draw((times) => times + 1);
    const timer = setInterval(() => {
      counter.tick(isLive);
      again();
    }, 1000);
    // Of ids that begin somehow, only those are known that came while somebody looked.
    if (isLive && !isFiltered) {
      const filled = history(SECONDS).then((of) => counter.fill(of));
      filled.then(again, () => {});
    }
    return () => clearInterval(timer);
  }, [counter, isLive]);
  const { counts } = counter;
  const first = counts.lastIndexOf(null) + 1;
  const known = counts.slice(first);
  // Three seconds, so that batches do not make the figure jump.
  const rate = known.slice(-3).reduce((sum, each) => sum + each, 0) / Math.max(1, Math.min(3, known.length));
  const top = Math.max(1, ...known);
  const points = known.map((each, place) => `${first + place},${(HEIGHT - 1 - (each / top) * (HEIGHT - 3)).toFixed(1)}`);
  const label = `${rounded(rate)} entries/s`;
  const hint = `The last ${SECONDS / 60} minutes; at most ${rounded(top)} in a second`;
  return html`
    <div class="rate" data-testid="rate" title=${hint}>
      <svg class="rate-line" viewBox="0 0 ${SECONDS - 1} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${label}>
        ${known.length > 0 && html`
          <path class="rate-area" d="M${first},${HEIGHT} L${points.join(' L')} L${SECONDS - 1},${HEIGHT} Z" />
          <polyline class="rate-edge" points=${points.join(' ')} />`}
      </svg>
      <span class="rate-figure">${label}</span>
      ${isFiltered && html`<span class="quiet">of these ids</span>`}
    </div>
  `;
}

function rounded(rate) {
  return count(rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate));
}
