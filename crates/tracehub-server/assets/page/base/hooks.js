// What several components need of time and of the window.

import { useEffect, useRef, useState } from '../../vendor/preact-htm.js';

/** The time, renewed every so often; 0 stops it. */
export function useNow(everyMs) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (everyMs === 0) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** Whether a media query holds. */
export function useMedia(query) {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const update = () => setHolds(media.matches);
    update();
    media.addEventListener('change', update);
    return () => media.removeEventListener('change', update);
  }, [query]);
  return holds;
}

/** A reference to an element, and its width in pixels. */
export function useWidth() {
  const element = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width];
}

/** Sets the window's title. */
export function useTitle(title) {
  useEffect(() => {
    document.title = title === '' ? 'TraceHub' : `${title} · TraceHub`;
  }, [title]);
}

/** A function that calls the newest `work` once nothing has called it for a while; its `drop` forgets what waits for that. */
export function useDebounced(work, afterMs) {
  const newest = useRef(work);
  newest.current = work;
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  const soon = (...values) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => newest.current(...values), afterMs);
  };
  soon.drop = () => clearTimeout(timer.current);
  return soon;
}
