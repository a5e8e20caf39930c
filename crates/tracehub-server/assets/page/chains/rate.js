// How many entries come in: the last seconds, counted from the stream.

import { html, useEffect, useState } from '../../vendor/preact-htm.js';
import { count } from '../base/format.js';

/** Seconds that are kept and drawn. */
const SECONDS = 180;
const HEIGHT = 22;

/** Counts by second. */
export class Counter {
  counts = new Array(SECONDS).fill(0);
  now = 0;

  add() {
    this.now += 1;
  }

  /** Ends a second. */
  tick() {
    this.counts.push(this.now);
    this.counts.shift();
    this.now = 0;
  }
}

export function Rate({ counter, isFiltered }) {
  const [, draw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      counter.tick();
      draw((times) => times + 1);
    }, 1000);
    return () => clearInterval(timer);
  }, [counter]);
  const { counts } = counter;
  // Three seconds, so that batches do not make the figure jump.
  const rate = counts.slice(-3).reduce((sum, each) => sum + each, 0) / 3;
  const top = Math.max(1, ...counts);
  const points = counts.map((each, place) => `${place},${(HEIGHT - 1 - (each / top) * (HEIGHT - 3)).toFixed(1)}`);
  const label = `${count(rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate))} entries/s`;
  return html`
    <div class="rate" data-testid="rate" title=${`The last ${SECONDS / 60} minutes; at most ${count(top)} in a second`}>
      <svg class="rate-line" viewBox="0 0 ${SECONDS - 1} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${label}>
        <path class="rate-area" d="M0,${HEIGHT} L${points.join(' L')} L${SECONDS - 1},${HEIGHT} Z" />
        <polyline class="rate-edge" points=${points.join(' ')} />
      </svg>
      <span class="rate-figure">${label}</span>
      ${isFiltered && html`<span class="quiet">of these ids</span>`}
    </div>
  `;
}
