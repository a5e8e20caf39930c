// Keys. The last component that binds a key gets it; fields that are typed in keep theirs.

import { useLayoutEffect, useRef } from '../../vendor/preact-htm.js';

const layers = [];

window.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const isTyped = event.target instanceof Element && event.target.matches('input:not([type=checkbox]), textarea, select');
  for (const layer of [...layers].reverse()) {
    const bound = layer.current[event.key];
    if (bound && (!isTyped || event.key === 'Escape')) {
      // A link or button that has the focus is pressed by Enter itself.
      if (event.key === 'Enter' && event.target.matches('a, button, summary')) return;
      if (bound(event) !== false) {
        event.preventDefault();
        return;
      }
    }
    if (layer.current.isModal) return;
  }
});

/** Binds keys to functions for as long as the component is there. A function that gives `false` passes the key on. */
export function useKeys(keys) {
  const layer = useRef(keys);
  layer.current = keys;
  // Before it is drawn: a key that is pressed at once must not go to what lies below.
  useLayoutEffect(() => {
    layers.push(layer);
    return () => layers.splice(layers.indexOf(layer), 1);
  }, []);
}
