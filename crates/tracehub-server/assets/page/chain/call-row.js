// One call in the waterfall.

import { html } from '../../vendor/preact-htm.js';
import { hueClass } from '../base/colours.js';
import { clock, duration, name, offset } from '../base/format.js';

/** Levels that are indented; what lies deeper says its level by a number. */
const MOST_INDENTS = 14;
/** Stretches of self time that a bar shows; shorter ones run together. */
const MOST_STRETCHES = 48;

export function CallRow({
  call, place, tree, span, scale, origin, isAbsolute, critical, marks, isCollapsed, canFold, isActive, isSelected, isHovered, isFlat,
  onSelect, onToggle, onHover,
}) {
  const state = call.status;
  const classes = ['call-row', hueClass(call.source_id), `is-${state}`];
  if (isActive) classes.push('is-active');
  if (isSelected) classes.push('is-selected');
  if (isHovered) classes.push('is-hovered');
  const indent = isFlat ? 0 : Math.min(call.depth, MOST_INDENTS);
  const begin = call.start ?? call.end;
  const toggle = (event) => {
    event.stopPropagation();
    onToggle();
  };
  return html`
    <div class=${classes.join(' ')} role="treeitem" id=${`call-${place}`} aria-level=${call.depth + 1} aria-selected=${isSelected}
      aria-expanded=${canFold ? !isCollapsed : undefined} data-testid="call-row" data-state=${state} data-call=${tree.keys[place]}
      onClick=${onSelect} onPointerEnter=${() => onHover(place)}>
      <span class="call-name" style=${{ '--indent': indent }}>
        ${canFold
          ? html`<span class="fold ${isCollapsed ? 'is-collapsed' : ''}" onClick=${toggle} title=${isCollapsed ? 'Expand' : 'Collapse'}></span>`
          : html`<span class="fold is-leaf"></span>`}
        ${call.depth > MOST_INDENTS && html`<span class="deep">${call.depth}</span>`}
        <span class="call-source"><i></i>${name(call.source_id)}</span>
        <span class="call-operation">${name(call.operation)}</span>
        <span class="call-endpoint">${name(call.endpoint)}</span>
        ${isCollapsed && html`<span class="count">${tree.ends[place] - place - 1}</span>`}
        ${state !== 'finished' && html`<span class="tag is-${state}">${state}</span>`}
        ${isElsewhere(call, tree) && html`<span class="call-host" title="Its host">${name(call.hostname)}</span>`}
      </span>
      <span class="call-track">
        <${Bar} call=${call} place=${place} tree=${tree} span=${span} scale=${scale} critical=${critical} />
        ${marks?.map((time) => html`<i class="mark" style=${{ left: `${scale.at(time)}%` }} hidden=${time < scale.from || time > scale.to}></i>`)}
        <${Label} call=${call} span=${span} scale=${scale} text=${isAbsolute ? clock(begin) : offset(begin - origin)} />
      </span>
    </div>
  `;
}

/** Whether a call is on another host than the one that it lies in. */
function isElsewhere(call, tree) {
  return call.parent === null || tree.calls[call.parent].hostname !== call.hostname;
}

function Bar({ call, place, tree, span, scale, critical }) {
  if (call.status === 'orphan') {
    const left = scale.at(call.end);
    return left < 0 || left > 100 ? null : html`<i class="bar is-orphan" style=${{ right: `${100 - left}%` }}></i>`;
  }
  const where = scale.span(call.start, call.end ?? span.end);
  if (where === null) return null;
  const style = { left: `${where.left}%`, width: `${where.width}%` };
  if (call.status === 'finished' && tree.hasInside(place)) style.backgroundImage = stretches(tree.selfTimes(place), call, scale);
  return html`
    <i class="bar is-${call.status} ${tree.hasInside(place) ? 'has-inside' : ''}" style=${style}></i>
    ${critical?.map((segment) => {
      const at = scale.span(segment.start, segment.end);
      return at && html`<i class="critical" style=${{ left: `${at.left}%`, width: `${at.width}%` }}></i>`;
    })}
  `;
}

/** A picture of the times that a call spent itself: solid there, pale elsewhere. One element, whatever there is to show. */
function stretches(times, call, scale) {
  const from = Math.max(call.start, scale.from);
  const to = Math.min(call.end, scale.to);
  const length = Math.max(to - from, 1e-9);
  const shown = times.filter(([start, end]) => end > from && start < to);
  // What is too short to be seen would only cost time.
  const worth = shown.length > MOST_STRETCHES ? shown.filter(([start, end]) => end - start > length / 400).slice(0, MOST_STRETCHES) : shown;
  const stops = ['var(--pale) 0'];
  for (const [start, end] of worth) {
    const [left, right] = [start, end].map((time) => Math.min(100, Math.max(0, (100 * (time - from)) / length)).toFixed(3));
    stops.push(`var(--pale) ${left}%`, `var(--solid) ${left}%`, `var(--solid) ${right}%`, `var(--pale) ${right}%`);
  }
  return `linear-gradient(90deg, ${stops.join(', ')})`;
}

/** When it began and how long it took: to the right of the bar, or to the left, or in it, where there is room. */
function Label({ call, span, scale, text }) {
  const end = call.end ?? span.end;
  const where = scale.span(call.start ?? call.end, end);
  if (where === null) {
    const isBefore = end < scale.from;
    return html`<span class="bar-label is-out ${isBefore ? 'is-left' : 'is-right'}">${isBefore ? '‹' : '›'}</span>`;
  }
  const right = where.left + where.width;
  const place = besides(where.left, right);
  const isInside = right >= 78 && where.left <= 25;
  // What is shown at all times stays in its place when the other comes.
  const begin = html`<span class="bar-begin">${text}</span>`;
  const isLeft = place.right !== undefined;
  return html`<span class="bar-label ${isInside ? 'is-inside' : ''}" style=${place}>${isLeft && begin} ${took(call, span)} ${!isLeft && begin}</span>`;
}

function took(call, span) {
  if (call.status === 'finished') return duration(call.duration_ms);
  if (call.status === 'orphan') return 'no enter';
  return span.isOpen ? `${duration(span.end - call.start)} so far` : 'no leave';
}

/** Where there is room beside a bar, and if there is none, in it. */
function besides(left, right) {
  if (right < 78) return { left: `calc(${right}% + 6px)` };
  // Marks at its beginning reach a little further.
  if (left > 25) return { right: `calc(${100 - left}% + 8px)` };
  return { left: `calc(${left}% + 6px)` };
}
