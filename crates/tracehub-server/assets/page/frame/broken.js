// What is shown when the page itself has failed.

import { html } from '../../vendor/preact-htm.js';

export function Broken({ error }) {
  return html`
    <section class="empty" role="alert" data-testid="broken">
      <h2>The page has failed</h2>
      <p>This is a fault of the page, not of the server or of what is stored. It says: ${String(error?.message ?? error)}</p>
      <p class="empty-actions"><button type="button" class="button" onClick=${() => location.reload()}>Load it again</button></p>
    </section>
  `;
}
