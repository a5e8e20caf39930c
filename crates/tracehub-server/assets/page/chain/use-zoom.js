// The part of a chain's time that is shown.

import { useState } from '../../vendor/preact-htm.js';
import { Scale, moved, zoomed } from './scale.js';

/** `limits` is all of the time, `scale` what is shown of it; the others change that. */
export function useZoom(tree, span) {
  const limits = new Scale(span?.start ?? 0, span?.end ?? 1);
  const [zoom, setZoom] = useState(null);
  const scale = zoom ? new Scale(...zoom) : limits;
  const showPart = ([from, to]) => setZoom(to - from >= limits.length * 0.999 ? null : [from, to]);
  return {
    limits,
    scale,
    isZoomed: zoom !== null,
    showPart,
    showAll: () => setZoom(null),
    move: (by) => showPart(moved(scale.from + by, scale.length, limits)),
    zoomBy: (factor, around = (scale.from + scale.to) / 2) => showPart(zoomed(scale, factor, around, limits)),
    /** A call with a little room around it. */
    zoomTo(place) {
      const call = tree.calls[place];
      const [from, to] = [call.start ?? call.end, call.end ?? span.end];
      const length = Math.max(to - from, limits.length * 1e-5) * 1.1;
      showPart(moved(from - length * 0.05, Math.min(length, limits.length), limits));
    },
  };
}
