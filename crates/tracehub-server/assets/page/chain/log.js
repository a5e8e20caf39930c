// All checkpoints of a chain, one after the other, as they happened.

import { html, useMemo } from '../../vendor/preact-htm.js';
import { hueClass } from '../base/colours.js';
import { clock, duration, exactOffset, name } from '../base/format.js';
import { VirtualList } from '../base/virtual-list.js';

const ROW = 24;
/** Characters of `data` that a row shows. */
const MOST_DATA = 160;
const ARROWS = { '->': '→', '<-': '←' };

export function Log({ id, answer, tree, entries, isAbsolute, parts, finder, active: activeCall, selected, hovered, sticks, onSelect, onHover }) {
  const rows = useMemo(() => {
    if (!entries) return [];
    if (parts.length === 0) return entries.order;
    return entries.order.filter((place) => (finder ? finder.entry(place, parts) : true));
  }, [entries, parts, finder]);
  if (!entries) return html`<div class="pane log"><div class="loading" role="status">Loading the entries…</div></div>`;
  const origin = answer?.start ?? entries.times[entries.order[0]] ?? 0;
  const row = (index) => {
    const place = rows[index];
    const entry = entries.traces[place];
    const call = entries.calls[place];
    const time = entries.times[place];
    const gap = index > 0 ? time - entries.times[rows[index - 1]] : 0;
    const status = call === -1 ? '' : tree.calls[call].status;
    const classes = ['log-row', hueClass(entry.source_id), status && `is-${status}`];
    if (call !== -1 && call === selected) classes.push('is-selected');
    if (call !== -1 && call === activeCall) classes.push('is-active');
    if (call !== -1 && call === hovered) classes.push('is-hovered');
    return html`
      <div class=${classes.join(' ')} role="listitem" data-testid="log-row" onClick=${() => call !== -1 && onSelect(call)} onPointerEnter=${() => onHover(call)}>
        <span class="log-time">${isAbsolute ? clock(time) : exactOffset(time - origin)}</span>
        <span class="log-gap">${gap >= 1 && parts.length === 0 ? duration(gap) : ''}</span>
        <span class="log-arrow" title=${entry.direction}>${ARROWS[entry.direction] ?? '◆'}</span>
        <span class="log-source"><i></i>${name(entry.source_id)}</span>
        <span class="log-what"><span class="call-operation">${name(entry.operation)}</span> ${name(entry.endpoint)}</span>
        ${!(entry.direction in ARROWS) && html`<span class="tag">${name(entry.direction)}</span>`}
        ${status && status !== 'finished' && html`<span class="tag is-${status}">${status}</span>`}
        <span class="log-data">${entry.data === null ? '' : name(JSON.stringify(entry.data).slice(0, MOST_DATA))}</span>
      </div>
    `;
  };
  const active = activeCall === -1 ? -1 : rows.findIndex((place) => entries.calls[place] === activeCall);
  const attributes = { role: 'list', 'aria-label': `Entries of ${id}`, onPointerLeave: () => onHover(-1) };
  return html`
    <div class="pane log">
      <${VirtualList} className="log-list" count=${rows.length} rowHeight=${ROW} row=${row} active=${active} sticks=${sticks} attributes=${attributes} />
      ${rows.length === 0 && html`<p class="pane-note">No entry is like that.</p>`}
    </div>
  `;
}
