// One chain in the list.

import { html } from '../../vendor/preact-htm.js';
import { hueClass } from '../base/colours.js';
import { ago, count, counted, dateTime, duration, name } from '../base/format.js';
import { follow, href } from '../base/router.js';

/** Sources that are named in a row; the others are counted. */
const MOST_SOURCES = 5;
const MONTH_MS = 30 * 86_400_000;

/** `longest`: the longest duration on the page, which the bars are measured by. */
export function Row({ chain, now, longest, open, isFresh }) {
  const { correlation_id: id, sources } = chain;
  const more = sources.length - MOST_SOURCES;
  return html`
    <li class="chain-item">
      <a class="chain-row ${chain.complete ? '' : 'is-incomplete'} ${isFresh ? 'is-fresh' : ''}" href=${href({ chain: id })}
        onClick=${follow} data-testid="chain-row" data-id=${id}>
        <span class="cell-status">
          ${chain.complete
            ? html`<span class="status is-complete" title="As many leaves as enters"><i></i>complete</span>`
            : html`<span class="status is-incomplete" title="Some call was not left"><i></i>incomplete</span>`}
        </span>
        <span class="cell-id">
          <span class="chain-id">${name(id)}</span>
          ${!chain.complete && open && html`<${Open} open=${open} now=${now} />`}
        </span>
        <span class="cell-sources">
          ${sources.slice(0, MOST_SOURCES).map((source) => html`<span class="source ${hueClass(source)}"><i></i>${name(source)}</span>`)}
          ${more > 0 && html`<span class="quiet">+${more}</span>`}
        </span>
        <span class="cell-entries number"><span class="narrow-only">${' '}</span>${count(chain.trace_count)}<span class="unit"> entries</span></span>
        <span class="cell-duration number">
          <span class="duration-bar"><i style=${{ width: `${share(chain.duration_ms, longest)}%` }}></i></span>
          <span class="duration-text">${duration(chain.last_ts - chain.first_ts)}</span>
        </span>
        <span class="cell-active number" title=${dateTime(chain.last_ts)}>${ago(now - chain.last_ts)}</span>
      </a>
    </li>
  `;
}

/** Durations span six digits; their logarithms can be compared by eye. One wrong timestamp must not flatten all others. */
function share(ms, longest) {
  const most = Math.log1p(Math.min(MONTH_MS, Math.max(1, longest)));
  return Math.min(100, (100 * Math.log1p(Math.max(0, ms))) / most);
}

/** What keeps a chain from being complete. */
function Open({ open: { call, orphans }, now }) {
  if (call === null) return orphans > 0 && html`<span class="oldest">${counted(orphans, 'leave')} without an enter</span>`;
  const text = `${name(call.operation)} ${name(call.endpoint)}`;
  return html`
    <span class="oldest" title=${`${name(call.source_id)} entered ${text} and has not left it`}>
      <span class="source ${hueClass(call.source_id)}"><i></i></span>
      <span class="oldest-text">${text}</span>
      <span class="oldest-age">open ${duration(Math.max(0, Math.round((now - call.start) / 1000) * 1000))}</span>
    </span>
  `;
}
