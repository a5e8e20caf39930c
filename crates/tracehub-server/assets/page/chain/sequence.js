// Who called whom: a line for each source, time going down, an arrow for each enter and each leave.

import { html, useEffect, useMemo, useRef, useState } from '../../vendor/preact-htm.js';
import { hueClass } from '../base/colours.js';
import { clock, exactOffset, name } from '../base/format.js';
import { diagramOf, OUTSIDE } from './diagram.js';

const ROW = 34;
const HEAD = 40;
const LANE = 190;
const MARGIN = 96;
/** Room for what comes from outside. */
const BEFORE = 60;
/** Room for what the last lane says. */
const AFTER = 120;
/** Half of the width of an activation. */
const BOX = 5;
/** Lanes drawn beyond what is in sight. */
const LANES_BEYOND = 2;

export function Sequence({ id, answer, tree, entries, parts, finder, isAbsolute, active, selected, hovered, onSelect, onHover }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, left: 0, height: 800, width: 1200 });
  useEffect(() => {
    const measure = () => {
      const { scrollTop: top, scrollLeft: left, clientHeight: height, clientWidth } = box.current;
      setView({ top, left, height, width: clientWidth });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    const element = box.current;
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, []);
  const { lanes, events, activations } = useMemo(() => diagramOf(tree, entries, finder, parts), [tree, entries, finder, parts]);
  const width = Math.max(view.width, MARGIN + BEFORE + lanes.length * LANE + AFTER);
  const height = events.length * ROW + 32;
  const first = Math.max(0, Math.floor(view.top / ROW) - 5);
  const last = Math.min(events.length, Math.ceil((view.top + view.height) / ROW) + 5);
  const x = (lane) => (lane === OUTSIDE ? MARGIN : MARGIN + BEFORE + lane * LANE + LANE / 2);
  const y = (row) => row * ROW + ROW / 2 + 6;
  const firstLane = Math.floor((view.left - MARGIN - BEFORE) / LANE) - LANES_BEYOND;
  const lastLane = Math.ceil((view.left + view.width - MARGIN - BEFORE) / LANE) + LANES_BEYOND;
  const isInSight = (lane) => lane >= firstLane && lane <= lastLane;
  const drawn = lanes.map((source, lane) => ({ source, lane })).filter(({ lane }) => isInSight(lane));
  const seen = activations.filter((each) => each.to >= first && each.from <= last && isInSight(each.lane));
  // One cross for each lane that has a call without an end, below the last row.
  const isUnfinished = ({ call, lane }) => tree.calls[call].status === 'unfinished' && isInSight(lane);
  const brokenOff = last < events.length ? [] : [...new Set(activations.filter(isUnfinished).map((each) => each.lane))];
  // Marks outside of all calls have none, and are no part of each other.
  const classOf = (call) => (call === -1 ? '' : [call === selected && 'is-selected', call === hovered && 'is-hovered', call === active && 'is-active'].filter(Boolean).join(' '));
  useEffect(() => {
    const row = active === -1 ? -1 : events.findIndex((event) => event.call === active);
    if (row !== -1) revealRow(box.current, row);
  }, [active, events]);
  return html`
    <div class="pane sequence" ref=${box} tabindex="0" role="group" aria-label=${`Sequence of ${id}`}>
      <div class="sequence-head" style=${{ width: `${width}px`, height: `${HEAD}px` }}>
        ${drawn.map(({ source, lane }) => html`<span key=${lane} class="lane-name ${hueClass(source)}" title=${name(source)} style=${{ left: `${x(lane)}px` }}><i></i><span class="source-name">${name(source)}</span></span>`)}
      </div>
      <svg class="sequence-drawing" width=${width} height=${height} role="img" aria-label="Who called whom; the log says the same in words">
        ${drawn.map(({ lane }) => html`<line key=${`l${lane}`} class="lane" x1=${x(lane)} x2=${x(lane)} y1=${Math.max(0, first * ROW - 50)} y2=${Math.min(height, last * ROW + 60)} />`)}
        ${seen.map(
          ({ call, lane, from, to, level }) => html`
            <rect class="activation ${hueClass(tree.calls[call].source_id)} is-${tree.calls[call].status} ${classOf(call)}" x=${x(lane) - BOX + level * 4}
              y=${y(Math.max(from, first - 2))} width=${2 * BOX} height=${Math.max(6, y(Math.min(to, last + 2)) - y(Math.max(from, first - 2)))} rx="2"
              onClick=${() => onSelect(call)} />
          `,
        )}
        ${brokenOff.map((lane) => html`<path key=${`x${lane}`} class="broken-off" d="M${x(lane) - 4} ${y(events.length - 0.5) + 4} l8 8 m0 -8 l-8 8" />`)}
        ${events.slice(first, last).map((event, index) => {
          const row = first + index;
          return html`
            <g key=${row} class="event ${hueClass(event.source)} is-${event.kind} ${classOf(event.call)}" onClick=${() => event.call !== -1 && onSelect(event.call)} onPointerEnter=${() => onHover(event.call)}>
              <rect class="event-row" x="0" y=${y(row) - ROW / 2} width=${width} height=${ROW} />
              <text class="event-time" x=${MARGIN - 16} y=${y(row) + 4}>${isAbsolute ? clock(event.time) : exactOffset(event.time - (answer.start ?? 0))}</text>
              <${Arrow} event=${event} x=${x} y=${y(row)} />
            </g>
          `;
        })}
      </svg>
      ${entries === null && html`<div class="loading" role="status">Loading the entries…</div>`}
      ${entries !== null && events.length === 0 && html`<p class="pane-note">No entry is like that.</p>`}
    </div>
  `;
}

/** Scrolls as little as shows a row. */
function revealRow(box, row) {
  const [top, bottom] = [row * ROW, (row + 2) * ROW + HEAD];
  if (top < box.scrollTop) box.scrollTop = top;
  else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
}

function Arrow({ event, x, y }) {
  const [from, to] = [x(event.from), x(event.to)];
  const label = name(event.label);
  if (event.kind === 'mark') {
    return html`<path class="mark-sign" d="M${to} ${y - 5} l5 5 l-5 5 l-5 -5 z" /><text class="event-label" x=${to + 14} y=${y + 4}>${cut(label, 24)}</text>`;
  }
  if (from === to) {
    const bend = `M${to + BOX} ${y - 6} h16 v12 h-12`;
    return html`
      <path class="arrow" d=${event.kind === 'leave' ? `M${to + BOX} ${y} h14` : bend} />
      ${event.kind !== 'leave' && html`<path class="arrow-head" d="M${to + BOX + 1} ${y + 6} l7 -3.5 v7 z" />`}
      <text class="event-label" x=${to + BOX + 24} y=${y + 4}>${cut(label, 24)}</text>
    `;
  }
  const side = to > from ? 1 : -1;
  const [start, end] = [from + side * BOX, to - side * (BOX + 1)];
  const letters = Math.floor((Math.abs(to - from) - 30) / 6.2);
  return html`
    <path class="arrow" d="M${start} ${y} H${end}" />
    <path class="arrow-head" d="M${end} ${y} l${-side * 8} -4 v8 z" />
    <text class="event-label is-over" x=${(start + end) / 2} y=${y - 5}>${cut(label, letters)}</text>
  `;
}

function cut(text, letters) {
  return text.length > letters ? `${text.slice(0, Math.max(1, letters - 1))}…` : text;
}
