// What the list shows when there is nothing to list, or when the server refuses to.

import { html } from '../../vendor/preact-htm.js';
import { copy, quoted } from '../base/clipboard.js';
import { address } from '../base/api.js';
import { Icon } from '../base/icons.js';
import { isSignedIn } from '../frame/session.js';
import { clearFilters } from './filters.js';

/** No chain at all: how to send the first entry. */
export function Nothing() {
  const command = firstEntry();
  return html`
    <section class="empty" data-testid="empty">
      <h2>No chains yet</h2>
      <p>
        A chain is everything that happens to one request. It begins with its first entry: a service says that it enters
        (<code>${'->'}</code>) or leaves (<code>${'<-'}</code>) an operation. Send one, and it is here at once.
      </p>
      <div class="code-block">
        <pre tabindex="0"><code>${command}</code></pre>
        <button type="button" class="button" onClick=${() => copy(command, 'the command')} data-testid="copy-first">
          <${Icon} name="copy" /> Copy
        </button>
      </div>
    </section>
  `;
}

/** The server's refusal. Filters in an address may be what it refuses. */
export function Fault({ fault, isFiltered }) {
  return html`
    <p class="fault is-block" role="alert" data-testid="fault">
      ${fault.message}
      ${isFiltered && html` <button type="button" class="text-button" onClick=${clearFilters}>Clear the filters</button>`}
    </p>
  `;
}

/** Nothing that the filters let through. */
export function NothingLike({ next, onMore }) {
  return html`
    <section class="empty" data-testid="empty">
      <h2>No chain is like that</h2>
      <p>${next === null ? 'None of the stored chains passes the filters.' : 'None of the thousands that were looked at passes the filters.'}</p>
      <p class="empty-actions">
        <button type="button" class="button" onClick=${clearFilters}>Clear the filters</button>
        ${next !== null && html`<button type="button" class="button" onClick=${onMore}>Look further</button>`}
      </p>
    </section>
  `;
}

/** A command for any shell: not every `date` knows of milliseconds. */
function firstEntry() {
  const secret = isSignedIn() ? ' \\\n  -H "X-TraceHub-Secret: $TRACEHUB_SECRET"' : '';
  return `curl ${quoted(address('ingest/single'))} \\
  -H 'Content-Type: application/json'${secret} \\
  -d '{"source_id": "shop", "correlation_id": "order-42",
       "timestamp": '$(date +%s)000', "suffix": "a1", "direction": "->",
       "operation": "POST", "endpoint": "/api/orders"}'`;
}
