// Says that the server is gone, or takes no entries, for as long as that is so.

import { html } from '../../vendor/preact-htm.js';
import { useNow } from '../base/hooks.js';
import { useStore } from '../base/store.js';
import { connection, isDegraded } from '../base/stream.js';
import { duration } from '../base/format.js';

let goneSince = 0;
connection.watch((state) => {
  if (state === 'gone') goneSince = Date.now();
});

export function Banner() {
  const state = useStore(connection);
  const isRefusing = useStore(isDegraded);
  if (state === 'gone') return html`<${Gone} />`;
  return isRefusing ? html`<${Degraded} />` : null;
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

function Degraded() {
  return html`
    <div class="banner is-warning" role="alert" data-testid="degraded">
      <strong>The server takes no entries at the moment.</strong>
      <span>Its disk is full, or its database is held or broken: its log says which. What is stored can be read.</span>
    </div>
  `;
}
