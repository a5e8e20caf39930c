// The filters of the list. What they hold is in the address; while somebody types, the field goes first.

import { html, useEffect, useRef } from '../../vendor/preact-htm.js';
import { useDebounced } from '../base/hooks.js';
import { Icon } from '../base/icons.js';
import { change } from '../base/router.js';
import { Store } from '../base/store.js';
import { FILTERS } from './list.js';

const TYPING_MS = 200;

/** Sets filters; a page of other filters is none of these. */
export function setFilters(filters) {
  change({ ...filters, cursor: '' }, { replace: true });
}

/** How often all filters were taken away. */
const clearings = new Store(0);

/** Takes all of them away, with what somebody may be typing. */
export function clearFilters() {
  clearings.set(clearings.value + 1);
  setFilters(Object.fromEntries(FILTERS.map((name) => [name, ''])));
}

export function Filters({ parameters, prefixField }) {
  const isIncomplete = parameters.status === 'incomplete';
  const any = FILTERS.some((name) => parameters[name]);
  return html`
    <div class="filters" role="search" aria-label="Chains">
      <div class="field is-wide">
        <${Icon} name="search" />
        <${Field} name="q" label="Id begins with" parameters=${parameters} field=${prefixField} testid="filter-prefix" hint="/" />
      </div>
      <div class="field"><${Field} name="source" label="Source" parameters=${parameters} testid="filter-source" /></div>
      <div class="field is-endpoint">
        <${Field} name="endpoint" label="Endpoint" parameters=${parameters} testid="filter-endpoint" />
      </div>
      <div class="field"><${Field} name="host" label="Host" parameters=${parameters} testid="filter-host" /></div>
      <div class="field is-number">
        <${Field} name="min_duration_ms" label="At least, ms" parameters=${parameters} testid="filter-min-duration" type="number" />
      </div>
      <div class="field is-select">
        <select aria-label="Status" value=${parameters.status ?? ''} data-testid="filter-status"
          onChange=${(event) => setFilters({ status: event.currentTarget.value })}>
          <option value="">Any status</option>
          <option value="complete">Complete</option>
          <option value="incomplete">Incomplete</option>
        </select>
      </div>
      <button type="button" class="toggle is-incomplete" aria-pressed=${isIncomplete} title="Incomplete chains alone (i)"
        data-testid="only-incomplete" onClick=${() => setFilters({ status: isIncomplete ? '' : 'incomplete' })}>
        Incomplete
      </button>
      <button type="button" class="plain-button" hidden=${!any} onClick=${clearFilters} data-testid="clear-filters">Clear</button>
    </div>
  `;
}

function Field({ name, label, parameters, field, testid, type = 'text', hint }) {
  const own = useRef(null);
  const element = field ?? own;
  const inAddress = parameters[name] ?? '';
  const set = useDebounced((value) => setFilters({ [name]: value.trim() }), TYPING_MS);
  useEffect(
    () =>
      clearings.watch(() => {
        set.drop();
        element.current.value = '';
      }),
    [],
  );
  useEffect(() => {
    // The address changed by other means than this field.
    if (element.current !== document.activeElement && element.current.value !== inAddress) {
      element.current.value = inAddress;
    }
  }, [inAddress]);
  return html`
    <input ref=${element} type=${type} min=${type === 'number' ? 0 : undefined} placeholder=${label} aria-label=${label}
      defaultValue=${inAddress} autocomplete="off" spellcheck=${false} data-testid=${testid}
      onInput=${(event) => set(event.currentTarget.value)} />
    ${hint && html`<kbd class="field-key" aria-hidden="true">${hint}</kbd>`}
  `;
}
