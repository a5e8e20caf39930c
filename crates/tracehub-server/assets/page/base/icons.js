// Icons: strokes on a grid of 16, in the colour of the text around them.

import { html } from '../../vendor/preact-htm.js';

const PATHS = {
  clock: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM8 4.5V8l2.5 1.5',
  close: 'M4 4l8 8M12 4l-8 8',
  copy: 'M6 6h7v7H6zM10 6V3H3v7h3',
  link: 'M7 9l2-2M6.5 4.5L8 3a3.2 3.2 0 0 1 5 5l-1.5 1.5M9.5 11.5L8 13a3.2 3.2 0 0 1-5-5l1.5-1.5',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6L14 14',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3l8 5-8 5z',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9L13 13M3 13l1.1-1.1M11.9 4.1L13 3',
  moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
  help: 'M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1.9-1.1 1.8M8 12.6v.2',
  back: 'M9.5 3.5L5 8l4.5 4.5',
  next: 'M6.5 3.5L11 8l-4.5 4.5',
  down: 'M3.5 6L8 10.5 12.5 6',
  collapse: 'M4 9.5L8 6l4 3.5M3 3h10',
  expand: 'M4 6.5L8 10l4-3.5M3 13h10',
  compare: 'M8 2v12M5.5 5H2v6h3.5M10.5 5H14v6h-3.5',
  code: 'M5.5 4.5L2 8l3.5 3.5M10.5 4.5L14 8l-3.5 3.5',
  terminal: 'M2.5 4l4 4-4 4M8 12h5.5',
  zoom: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6L14 14M5 7h4',
  out: 'M10 5V3H3v10h7v-2M7 8h7M11.5 5.5L14 8l-2.5 2.5',
};

export function Icon({ name }) {
  return html`
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>
  `;
}

/** A button that is an icon; its label is read and shown as a hint. */
export function IconButton({ icon, label, hint, ...attributes }) {
  return html`
    <button type="button" class="icon-button" aria-label=${label} title=${hint ?? label} ...${attributes}>
      <${Icon} name=${icon} />
    </button>
  `;
}
