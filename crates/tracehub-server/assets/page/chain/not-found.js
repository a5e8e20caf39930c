// An id that no entry has.

import { html } from '../../vendor/preact-htm.js';
import { name } from '../base/format.js';
import { follow, href, listHref } from '../base/router.js';

export function NotFound({ id }) {
  return html`
    <section class="empty" data-testid="not-found">
      <h2>No chain has this id</h2>
      <p class="unknown-id">${name(id)}</p>
      <p>
        Nothing came with it, or it was deleted as too old. If it is about to begin: leave this page open, and the chain is
        here with its first entry.
      </p>
      <p class="empty-actions">
        <a class="button" href=${href({ q: id.slice(0, 4) })} onClick=${follow}>Ids that begin with “${name(id.slice(0, 4))}”</a>
        <a class="button" href=${listHref()} onClick=${follow}>All chains</a>
      </p>
    </section>
  `;
}
