// All calls of the chain at once, small, and which part of the time is shown. Dragging chooses a part.

import { html, useEffect, useRef, useState } from '../../vendor/preact-htm.js';
import { hueColours, hueOf } from '../base/colours.js';
import { duration } from '../base/format.js';
import { useWidth } from '../base/hooks.js';
import { useStore } from '../base/store.js';
import { theme } from '../base/theme.js';
import { Scale } from './scale.js';

const HEIGHT = 40;
/** A drag of fewer pixels is a click. */
const CLICK = 4;

export function Minimap({ tree, scale, limits, span, isZoomed, hovered, onPart, onAll }) {
  const [box, width] = useWidth();
  const canvas = useRef(null);
  const shown = useStore(theme);
  const [drag, setDrag] = useState(null);
  useEffect(() => {
    if (width > 0) draw(canvas.current, width, tree, span);
  }, [tree, width, shown, span.end]);

  const timeAt = (event) => {
    const { left } = box.current.getBoundingClientRect();
    return limits.from + (Math.min(width, Math.max(0, event.clientX - left)) / width) * limits.length;
  };
  const down = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag([timeAt(event), timeAt(event)]);
  };
  const move = (event) => drag && setDrag([drag[0], timeAt(event)]);
  const up = (event) => {
    if (!drag) return;
    const [from, to] = [Math.min(drag[0], timeAt(event)), Math.max(drag[0], timeAt(event))];
    setDrag(null);
    const isClick = ((to - from) / limits.length) * width < CLICK;
    if (!isClick) onPart([from, to]);
    else if (isZoomed) {
      // A click brings the part that is shown there.
      const start = Math.min(Math.max(limits.from, from - scale.length / 2), limits.to - scale.length);
      onPart([start, start + scale.length]);
    }
  };
  const part = drag ? new Scale(Math.min(...drag), Math.max(...drag)) : isZoomed && scale;
  const call = hovered === -1 ? null : tree.calls[hovered];
  const hover = call && limits.span(call.start ?? call.end, call.end ?? span.end);
  return html`
    <div class="minimap">
      <div ref=${box} class="minimap-box" title="Drag to choose a part of the time" onPointerDown=${down} onPointerMove=${move}
        onPointerUp=${up} onPointerCancel=${() => setDrag(null)} onDblClick=${onAll} data-testid="minimap">
        <canvas ref=${canvas} aria-hidden="true"></canvas>
        ${hover && html`<i class="minimap-hover" style=${{ left: `${hover.left}%`, width: `${hover.width}%` }}></i>`}
        ${part && html`
          <i class="minimap-shade" style=${{ left: '0', width: `${limits.within(part.from)}%` }}></i>
          <i class="minimap-shade" style=${{ left: `${limits.within(part.to)}%`, right: '0' }}></i>
          <i class="minimap-part" style=${{ left: `${limits.within(part.from)}%`, width: `${limits.within(part.to) - limits.within(part.from)}%` }}></i>
        `}
      </div>
      ${isZoomed && html`
        <button type="button" class="plain-button minimap-all" onClick=${onAll} title="All of the time (0)" data-testid="zoom-out">
          ${duration(scale.length)} of ${duration(limits.length)}, show all
        </button>`}
    </div>
  `;
}

function draw(canvas, width, tree, span) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  const [solid, pale] = [hueColours('solid'), hueColours('pale')];
  const count = tree.calls.length;
  const room = HEIGHT - 6;
  const height = Math.max(1.5, Math.min(5, room / count - (count < 10 ? 1 : 0)));
  const length = span.end - span.start;
  const x = (time) => ((time - span.start) / length) * width;
  tree.calls.forEach((call, place) => {
    const hue = hueOf(call.source_id);
    const y = 3 + (count === 1 ? 0 : (place / Math.max(count, room / 6)) * room);
    const from = x(call.start ?? call.end);
    const to = x(call.end ?? span.end);
    context.fillStyle = tree.hasInside(place) || call.status === 'unfinished' ? pale[hue] : solid[hue];
    context.fillRect(from, y, Math.max(1, to - from), height);
  });
}
