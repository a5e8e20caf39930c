// What was just done, in a corner, and aloud.

import { html } from '../../vendor/preact-htm.js';
import { notice } from '../base/clipboard.js';
import { useStore } from '../base/store.js';

export function Notice() {
  const text = useStore(notice);
  return html`<div class="notice ${text ? 'is-shown' : ''}" role="status" aria-live="polite">${text}</div>`;
}
