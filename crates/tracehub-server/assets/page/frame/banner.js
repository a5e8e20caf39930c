// Says that the server is gone, or takes no entries, for as long as that is so.

import { html } from '../../vendor/preact-htm.js';
import { useNow } from '../base/hooks.js';
import { useStore } from '../base/store.js';
import { connection, trouble } from '../base/stream.js';
import { duration } from '../base/format.js';

let goneSince = 0;
connection.watch((state) => {
  if (state === 'gone') goneSince = Date.now();
});

export function Banner() {
  const state = useStore(connection);
  const reason = useStore(trouble);
  if (state === 'gone') return html`<${Gone} />`;
  return reason === null ? null : html`<${Degraded} reason=${reason} />`;
}

function Gone() {
  const seconds = Math.floor((useNow(1000) - goneSince) / 1000);
  return html`
    <div class="banner" role="alert" data-testid="banner">
      <strong>The server does not answer.</strong>
      <span>What is shown stays; the page goes on by itself when the server is back.</span>
      ${seconds > 1 && html`<span class="banner-time" aria-hidden="true">${duration(seconds * 1000)}</span>`}
    </div>
  `;
}

/** What is known of a reason besides that its log has it. */
const REASONS = {
  storage_full: 'Its disk is too full.',
  storage_busy: 'Another program holds its database.',
  storage_readonly: 'Where its database lies, nothing can be written.',
};

function Degraded({ reason }) {
  return html`
    <div class="banner is-warning" role="alert" data-testid="degraded">
      <strong>The server takes no entries at the moment.</strong>
      <span>${REASONS[reason] ?? 'Its log says why.'} What is stored can be read.</span>
    </div>
  `;
}
