// The waterfall: a row for each call, inside out to the right, its time beside it.

import { html } from '../../vendor/preact-htm.js';
import { clock, duration } from '../base/format.js';
import { useWidth } from '../base/hooks.js';
import { VirtualList } from '../base/virtual-list.js';
import { CallRow } from './call-row.js';

const ROW = 26;
const RULER = 26;
/** Pixels between two marks of the ruler at the least. */
const TICK = 110;
/** About how wide a letter of the ruler is. */
const LETTER = 6.5;

export function Calls(properties) {
  const { id, answer, tree, entries, rows, span, scale, limits, isAbsolute, isSearch, isNarrow, sticks } = properties;
  const { collapsed, active, selected, hovered, onActive, onSelect, onToggle, onHover, onZoom, onMove } = properties;
  const [ruler, width] = useWidth();
  const origin = answer.start ?? 0;
  const ticks = scale.ticks(isAbsolute ? 0 : origin, Math.max(2, width / TICK));
  const label = (tick) => (isAbsolute ? clock(tick) : tick === 0 ? '0' : duration(tick));
  const at = (tick) => scale.at((isAbsolute ? 0 : origin) + tick);
  const lines = ticks.map((tick) => [tick, at(tick)]).filter(([, left]) => left >= -0.01 && left <= 100.01);
  const silences = (entries?.silences ?? [])
    .map(({ after, before, duration: took }) => ({ took, ...scale.span(entries.times[after], entries.times[before]) }))
    .filter((silence) => silence.width > 0);

  // Zooms with the key held, so that scrolling stays scrolling; sideways, it moves.
  const wheel = (event) => {
    const track = ruler.current.getBoundingClientRect();
    if (event.ctrlKey || event.altKey) {
      event.preventDefault();
      const share = Math.min(1, Math.max(0, (event.clientX - track.left) / track.width));
      onZoom(event.deltaY < 0 ? 0.8 : 1.25, scale.from + share * scale.length);
    } else if (event.deltaX !== 0 && scale.length < limits.length) {
      event.preventDefault();
      onMove((event.deltaX / track.width) * scale.length);
    }
  };
  const header = html`
    <div class="ruler">
      <span class="ruler-names">${isSearch ? 'Found' : 'Call'}</span>
      <span class="ruler-track" ref=${ruler}>
        ${readable(lines, label, width).map(([tick, left, isLast]) => html`<span key=${tick} class="tick ${isLast ? 'is-last' : ''}" style=${{ left: `${left}%` }}>${label(tick)}</span>`)}
        ${answer.marks.map((place) => entries?.has(place) && html`<${LooseMark} entry=${entries.traces[place]} left=${scale.at(entries.times[place])} />`)}
      </span>
    </div>
  `;
  const behind = html`
    <div class="grid" aria-hidden="true">
      ${silences.map((silence) => html`
        <span class="gap" style=${{ left: `${silence.left}%`, width: `${silence.width}%` }} data-testid="gap">
          ${nameOfSilence(silence, width)}
        </span>`)}
      ${lines.map(([tick, left]) => html`<i key=${tick} style=${{ left: `${left}%` }}></i>`)}
    </div>
  `;
  const row = (index) => {
    const place = rows[index];
    const call = tree.calls[place];
    return html`
      <${CallRow} call=${call} place=${place} tree=${tree} span=${span} scale=${scale} origin=${origin} isAbsolute=${isAbsolute}
        critical=${criticalIn(answer, place)} marks=${entries && call.marks.length > 0 ? timesOf(call.marks, entries) : null}
        isCollapsed=${collapsed.has(tree.keys[place])} canFold=${!isSearch && tree.hasInside(place)} isActive=${place === active}
        isSelected=${place === selected} isHovered=${place === hovered} isFlat=${isSearch}
        onSelect=${() => {
          onActive(place);
          onSelect(place);
        }}
        onToggle=${() => onToggle(place)} onHover=${onHover} />
    `;
  };
  const attributes = {
    role: 'tree',
    'aria-label': `Calls of ${id}`,
    'aria-activedescendant': active === -1 ? undefined : `call-${active}`,
    onWheel: wheel,
    onPointerLeave: () => onHover(-1),
  };
  return html`
    <div class="pane calls ${isNarrow ? 'is-narrow' : ''}">
      <${VirtualList} className="calls-list" count=${rows.length} rowHeight=${ROW} headerHeight=${RULER} row=${row} header=${header}
        behind=${behind} active=${active === -1 ? -1 : rows.indexOf(active)} sticks=${sticks} attributes=${attributes} />
      ${rows.length === 0 && html`<p class="pane-note">${isSearch ? 'No call is like that.' : 'No calls: the entries of this chain are marks. The log has them.'}</p>`}
    </div>
  `;
}

/** The stretches of the critical path that a call is to blame for. */
const criticalPaths = new WeakMap();

function criticalIn(answer, place) {
  let byCall = criticalPaths.get(answer);
  if (!byCall) {
    byCall = new Map();
    for (const segment of answer.critical_path) {
      if (!byCall.has(segment.call)) byCall.set(segment.call, []);
      byCall.get(segment.call).push(segment);
    }
    criticalPaths.set(answer, byCall);
  }
  return byCall.get(place) ?? null;
}

/** When those of the entries happened that are there. */
function timesOf(places, entries) {
  return places.filter((place) => entries.has(place)).map((place) => entries.times[place]);
}

/** What is said of a silence, as far as there is room for it. */
function nameOfSilence({ took, width: share }, width) {
  const room = (share / 100) * width;
  if (room < 70) return null;
  return html`<em>${duration(took)}${room > 150 && ' of silence'}</em>`;
}

/** The marks of the ruler whose labels do not run into each other, and whether the label stands before its mark. */
function readable(lines, label, width) {
  let end = -Infinity;
  return lines.flatMap(([tick, left]) => {
    const isLast = left > 92;
    const length = label(tick).length * LETTER + 10;
    const from = (left / 100) * width - (isLast ? length : 0);
    if (from < end) return [];
    end = from + length;
    return [[tick, left, isLast]];
  });
}

function LooseMark({ entry, left }) {
  if (left < 0 || left > 100) return null;
  return html`<i class="loose-mark" style=${{ left: `${left}%` }} title=${`${entry.direction} ${entry.operation} ${entry.endpoint}`}></i>`;
}
