// The selected call: its times, its two checkpoints with all that they carry, and the marks between them.

import { html } from '../../vendor/preact-htm.js';
import { copy } from '../base/clipboard.js';
import { hueClass } from '../base/colours.js';
import { dateTime, duration, lines, name, offset } from '../base/format.js';
import { IconButton } from '../base/icons.js';
import { pretty } from '../base/json-text.js';

/** Longer texts are cut in the panel; copying gives all. */
const MOST_SHOWN = 50_000;

export function Detail({ answer, tree, entries, place, onSelect, onClose, onZoom }) {
  const call = tree.calls[place];
  const parent = call.parent === null ? null : tree.calls[call.parent];
  const inside = tree.inside(place);
  const origin = answer.start;
  const entry = (at) => (entries?.has(at) ? { ...entryAt(entries, at), origin } : null);
  return html`
    <aside class="pane detail ${hueClass(call.source_id)}" aria-label="The selected call" data-testid="detail">
      <div class="detail-head">
        <div class="detail-title" tabindex="0" role="group" aria-label="Call">
          <span class="source"><i></i>${name(call.source_id)}</span>
          <span class="call-operation">${name(call.operation)}</span>
          <b>${name(call.endpoint)}</b>
          ${call.status !== 'finished' && html`<span class="tag is-${call.status}">${call.status}</span>`}
        </div>
        <${IconButton} icon="zoom" label="Zoom to this call" hint="Zoom to this call (z)" onClick=${() => onZoom(place)} />
        <${IconButton} icon="link" label="Copy a link to this call" onClick=${() => copy(location.href, 'the link')} data-testid="copy-call-link" />
        <${IconButton} icon="close" label="Close" hint="Close (Esc)" onClick=${onClose} data-testid="close-detail" />
      </div>
      <div class="detail-body" tabindex="0" role="group" aria-label="Details">
        <dl class="figures">
          <${Figure} label="Duration" value=${call.duration_ms === null ? (call.start === null ? '–' : 'not left') : duration(call.duration_ms)} />
          <${Figure} label="In itself" value=${call.self_ms === null ? '–' : duration(call.self_ms)} />
          <${Figure} label="Starts at" value=${call.start === null ? '–' : offset(call.start - origin)} />
          <${Figure} label="Host" value=${name(call.hostname)} />
        </dl>
        ${(parent || inside.length > 0) && html`
          <p class="family">
            ${parent && html`within <button type="button" class="text-button" onClick=${() => onSelect(call.parent)}>${name(parent.source_id)} ${name(parent.endpoint)}</button>`}
            ${parent && inside.length > 0 && ', '}
            ${inside.length > 0 && html`
              <button type="button" class="text-button" onClick=${() => onSelect(inside[0])}>${inside.length} inside</button>`}
          </p>`}
        ${call.status === 'unfinished' && html`<p class="remark is-unfinished">It was entered, and never left. What it waited for may be the last thing inside it.</p>`}
        ${call.status === 'orphan' && html`<p class="remark is-orphan">It was left, but its enter never came: lost, deleted as too old, or logged otherwise.</p>`}
        <${Checkpoint} title="Enter" arrow="→" entry=${entry(call.enter)} isMissing=${call.enter === null} />
        ${call.marks.map((mark) => html`<${Checkpoint} key=${mark} title="Mark" arrow="◆" entry=${entry(mark)} />`)}
        <${Checkpoint} title="Leave" arrow="←" entry=${entry(call.leave)} isMissing=${call.leave === null} />
      </div>
    </aside>
  `;
}

function Figure({ label, value }) {
  return html`<div><dt>${label}</dt><dd>${value}</dd></div>`;
}

/** An entry with its own text, and the time that it has on the page. */
function entryAt(entries, at) {
  return { ...entries.traces[at], time: entries.times[at], text: entries.entryText(at), dataText: entries.dataText(at) };
}

function Checkpoint({ title, arrow, entry, isMissing }) {
  if (!entry) return html`<section class="checkpoint is-missing"><h3><i>${arrow}</i>${title}</h3><p class="quiet">${isMissing ? 'Never came.' : 'Loading…'}</p></section>`;
  const mark = title === 'Mark' ? ` ${name(entry.direction)}` : '';
  const isMoved = entry.time !== entry.timestamp;
  return html`
    <section class="checkpoint">
      <h3>
        <i>${arrow}</i>${title}${mark}
        <span class="quiet">${offset(entry.time - entry.origin)}</span>
        <button type="button" class="text-button" onClick=${() => copy(pretty(entry.text), 'the checkpoint')}>Copy as JSON</button>
      </h3>
      <dl class="fields">
        <div><dt>time</dt><dd>${dateTime(entry.timestamp)}${isMoved && html` <span class="quiet">as logged; ${offset(entry.time - entry.timestamp)} for its clock</span>`}</dd></div>
        <div><dt>timestamp</dt><dd>${entry.timestamp}</dd></div>
        <div><dt>suffix</dt><dd>${name(entry.suffix)}</dd></div>
        <div><dt>host</dt><dd>${name(entry.hostname)}</dd></div>
      </dl>
      ${entry.data !== null && html`<${Block} label="data" text=${pretty(entry.dataText)} />`}
      ${entry.raw_line !== null && html`<${Block} label="raw_line" text=${lines(entry.raw_line)} />`}
    </section>
  `;
}

function Block({ label, text }) {
  return html`
    <div class="block">
      <div class="block-head">
        <span>${label}</span>
        <button type="button" class="text-button" onClick=${() => copy(text, label)}>Copy</button>
      </div>
      <pre tabindex="0" aria-label=${label}><code>${text.slice(0, MOST_SHOWN)}</code></pre>
      ${text.length > MOST_SHOWN && html`<p class="quiet">The first ${MOST_SHOWN} of ${text.length} characters.</p>`}
    </div>
  `;
}
