// What a call is, beside the pointer that rests on it: both checkpoints at a glance. A click opens all of it, to be copied.

import { html, useEffect, useLayoutEffect, useRef, useState } from '../../vendor/preact-htm.js';
import { hueClass } from '../base/colours.js';
import { clock, duration, name, offset } from '../base/format.js';
import { pretty } from '../base/json-text.js';

/** How long a pointer rests before something comes up under it. */
const REST_MS = 350;
/** What is shown of `data`. */
const MOST_LINES = 12;
const MOST_CHARACTERS = 4_000;
/** Pixels between the pointer and what it brought up, and between that and the edge of the window. */
const AWAY = 14;
const EDGE = 8;

/** `place` is the call that the pointer is on, or -1. */
export function Peek({ answer, tree, entries, place, isAbsolute }) {
  const pointer = useRef({ x: 0, y: 0 });
  const [shown, setShown] = useState(-1);
  useEffect(() => {
    // A finger has nothing to rest with.
    const moved = (event) => (pointer.current = { x: event.clientX, y: event.clientY, isMouse: event.pointerType === 'mouse' });
    const gone = () => setShown(-1);
    window.addEventListener('pointermove', moved, { passive: true, capture: true });
    window.addEventListener('pointerdown', gone, true);
    window.addEventListener('keydown', gone, true);
    window.addEventListener('wheel', gone, { passive: true, capture: true });
    return () => {
      window.removeEventListener('pointermove', moved, true);
      window.removeEventListener('pointerdown', gone, true);
      window.removeEventListener('keydown', gone, true);
      window.removeEventListener('wheel', gone, true);
    };
  }, []);
  useEffect(() => {
    setShown(-1);
    if (place === -1) return undefined;
    const timer = setTimeout(() => pointer.current.isMouse && setShown(place), REST_MS);
    return () => clearTimeout(timer);
  }, [place]);
  const call = shown === place ? tree.calls[shown] : undefined;
  if (!call || !entries) return null;
  return html`<${Card} key=${shown} answer=${answer} entries=${entries} call=${call} pointer=${pointer.current} isAbsolute=${isAbsolute} />`;
}

function Card({ answer, entries, call, pointer, isAbsolute }) {
  const card = useRef(null);
  useLayoutEffect(() => {
    // On the side where there is room for it.
    const { width, height } = card.current.getBoundingClientRect();
    const fits = (from, size, room) => (from + AWAY + size <= room - EDGE ? from + AWAY : Math.max(EDGE, from - AWAY - size));
    card.current.style.left = `${fits(pointer.x, width, innerWidth)}px`;
    card.current.style.top = `${fits(pointer.y, height, innerHeight)}px`;
  });
  const time = (place) => (isAbsolute ? clock(entries.times[place]) : offset(entries.times[place] - answer.start));
  return html`
    <div ref=${card} class="peek ${hueClass(call.source_id)}" aria-hidden="true" data-testid="peek">
      <p class="peek-title">
        <span class="source"><i></i><b>${name(call.source_id)}</b></span> <span class="call-operation">${name(call.operation)}</span> ${name(call.endpoint)}
      </p>
      <p class="peek-figures">
        ${call.duration_ms === null ? html`<span class="tag is-${call.status}">${call.status}</span>` : html`<b>${duration(call.duration_ms)}</b>`}
        ${call.self_ms !== null && html`<span>${duration(call.self_ms)} in itself</span>`}
        <span>on ${name(call.hostname)}</span>
        ${call.marks.length > 0 && html`<span>${call.marks.length} ${call.marks.length === 1 ? 'mark' : 'marks'}</span>`}
      </p>
      <div class="peek-pair">
        <${Checkpoint} title="→ Enter" entries=${entries} place=${call.enter} time=${time} />
        <${Checkpoint} title="← Leave" entries=${entries} place=${call.leave} time=${time} />
      </div>
    </div>
  `;
}

function Checkpoint({ title, entries, place, time }) {
  if (place === null) return html`<section><h3>${title}</h3><p class="quiet">never came</p></section>`;
  if (!entries.has(place)) return html`<section><h3>${title}</h3><p class="quiet">loading…</p></section>`;
  const entry = entries.traces[place];
  return html`
    <section>
      <h3>${title} <span class="quiet">${time(place)}${entry.suffix !== '' && ` · ${name(entry.suffix)}`}</span></h3>
      ${entry.data === null ? html`<p class="quiet">no data</p>` : html`<pre>${beginning(entries, place)}</pre>`}
    </section>
  `;
}

/** The first lines of an entry's `data`, laid out. */
function beginning(entries, place) {
  const text = pretty(entries.dataText(place).slice(0, MOST_CHARACTERS));
  const lines = text.split('\n');
  return lines.length > MOST_LINES ? `${lines.slice(0, MOST_LINES).join('\n')}\n…` : text;
}
