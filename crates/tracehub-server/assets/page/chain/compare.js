// Two chains side by side, call by call: what is missing, what came besides, what took longer.

import { html, useMemo, useState } from '../../vendor/preact-htm.js';
import { hueClass } from '../base/colours.js';
import { count, counted, duration, name } from '../base/format.js';
import { follow, href } from '../base/router.js';
import { useAnswer } from '../base/use-answer.js';
import { VirtualList } from '../base/virtual-list.js';
import { ComparePicker } from './compare-picker.js';

const ROW = 28;
const HEAD = 28;

export function Compare({ id, other, skew }) {
  return other ? html`<${Comparison} key=${other} id=${id} other=${other} skew=${skew} />` : html`<${ComparePicker} id=${id} />`;
}

function Comparison({ id, other, skew }) {
  const { answer, fault } = useAnswer('compare', { a: id, b: other, skew });
  const [isDifferentOnly, setDifferentOnly] = useState(false);
  const rows = useMemo(() => (answer ? answer.calls.filter((call) => !isDifferentOnly || isDifferent(call)) : []), [answer, isDifferentOnly]);
  const most = useMemo(() => Math.max(1e-3, ...(answer?.calls ?? []).map((call) => Math.abs(call.slower_ms ?? 0))), [answer]);
  if (fault) return html`<p class="fault is-block" role="alert">${fault.message}</p>`;
  if (!answer) return html`<div class="loading" role="status">Comparing…</div>`;
  const { a, b } = answer;
  const isThere = b.count > 0;
  const header = html`
    <div class="compare-row is-head">
      <span>Call</span><span class="number">This one</span><span class="number">The other</span><span class="number">Difference</span><span></span>
    </div>
  `;
  return html`
    <div class="pane compare" data-testid="comparison">
      <div class="compare-top">
        <${Side} chain=${a} label="This one" />
        ${isThere && html`
          <span class="compare-sign">${delta(b.duration_ms - a.duration_ms)}</span>
          <${Side} chain=${b} label="The other" isLink=${true} />
          <span class="header-rest"></span>
          <span class="quiet">${differenceOf(answer)}</span>
          <button type="button" class="toggle" aria-pressed=${isDifferentOnly} onClick=${() => setDifferentOnly((is) => !is)}>Differences alone</button>`}
        ${!isThere && html`<span class="header-rest"></span>`}
        <a class="plain-button" href=${href({ chain: id, tab: 'compare', skew })} onClick=${follow} data-testid="compare-another">Another chain</a>
      </div>
      ${!isThere && html`<p class="fault is-block" role="alert">No chain has the id ${name(other)}.</p>`}
      ${isThere && html`<${VirtualList} className="compare-list" count=${rows.length} rowHeight=${ROW} headerHeight=${HEAD} header=${header}
        row=${(index) => html`<${Row} call=${rows[index]} most=${most} />`} attributes=${{ role: 'list', 'aria-label': 'Calls of both chains' }} />`}
      ${isThere && rows.length === 0 && html`<p class="pane-note">${isDifferentOnly ? 'Nothing is different.' : 'There are no calls to compare.'}</p>`}
    </div>
  `;
}

/** What only one of the two has. */
function differenceOf({ missing, added }) {
  if (missing === 0 && added === 0) return 'The same calls';
  return `${counted(missing, 'call')} missing in the other, ${count(added)} added`;
}

function Side({ chain, label, isLink }) {
  const id = chain.correlation_id;
  return html`
    <span class="compare-side">
      <span class="quiet">${label}</span>
      ${isLink ? html`<a class="chain-id" href=${href({ chain: id })} onClick=${follow}>${name(id)}</a>` : html`<span class="chain-id">${name(id)}</span>`}
      <b>${duration(chain.duration_ms)}</b>
      ${!chain.complete && html`<span class="status is-incomplete"><i></i>incomplete</span>`}
    </span>
  `;
}

function Row({ call, most }) {
  const side = call.a ?? call.b;
  const state = call.a === null ? 'added' : call.b === null ? 'missing' : '';
  const share = call.slower_ms === null ? 0 : (50 * Math.abs(call.slower_ms)) / most;
  const isSlower = call.slower_ms > 0;
  return html`
    <div class="compare-row ${hueClass(call.source_id)} ${state && `is-${state}`}" role="listitem" data-testid="compare-row">
      <span class="call-name" style=${{ '--indent': Math.min(side.depth, 14) }}>
        <span class="call-source"><i></i>${name(call.source_id)}</span>
        <span class="call-operation">${name(call.operation)}</span>
        <span class="call-endpoint">${name(call.endpoint)}</span>
        ${state && html`<span class="tag is-${state}">${state}</span>`}
      </span>
      <span class="number">${time(call.a)}</span>
      <span class="number">${time(call.b)}</span>
      <span class="number ${isSlower ? 'is-slower' : ''}">${call.slower_ms === null ? '' : delta(call.slower_ms)}</span>
      <span class="compare-bar">
        ${share > 0.2 && html`<i class=${isSlower ? 'is-slower' : 'is-faster'} style=${{ [isSlower ? 'left' : 'right']: '50%', width: `${share}%` }}></i>`}
      </span>
    </div>
  `;
}

function time(side) {
  if (side === null) return '–';
  return side.status === 'finished' ? duration(side.duration_ms) : side.status;
}

function delta(ms) {
  if (Math.abs(ms) < 5e-4) return '±0';
  return ms > 0 ? `+${duration(ms)}` : duration(ms);
}

/** Different enough to be looked at: not in both, not finished in both, or a tenth slower or faster. */
function isDifferent(call) {
  if (call.a === null || call.b === null) return true;
  if (call.slower_ms === null) return call.a.status !== call.b.status;
  return Math.abs(call.slower_ms) > 0.1 * Math.max(call.a.duration_ms, 0.1);
}
