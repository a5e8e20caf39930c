// Says that the server is gone, for as long as it is.

import { html } from '../../vendor/preact-htm.js';
import { useNow } from '../base/hooks.js';
import { useStore } from '../base/store.js';
import { connection } from '../base/stream.js';
import { duration } from '../base/format.js';

let goneSince = 0;
connection.watch((state) => {
  if (state === 'gone') goneSince = Date.now();
});

export function Banner() {
  const state = useStore(connection);
  return state === 'gone' ? html`<${Gone} />` : null;
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
