// Which chain to compare with: one of the newest, or any by its id.

import { html, useEffect, useRef, useState } from '../../vendor/preact-htm.js';
import { ago, counted, duration, name } from '../base/format.js';
import { useDebounced } from '../base/hooks.js';
import { change } from '../base/router.js';
import { useAnswer } from '../base/use-answer.js';

const OFFERED = 30;

export function ComparePicker({ id }) {
  const field = useRef(null);
  const [prefix, setPrefix] = useState('');
  const { answer, fault } = useAnswer('correlations', { q: prefix, limit: OFFERED + 1, include: 'complete' });
  const chains = answer?.correlations.filter((chain) => chain.correlation_id !== id).slice(0, OFFERED);
  const type = useDebounced(setPrefix, 200);
  useEffect(() => field.current.focus(), []);
  const choose = (other) => change({ compare: other });
  const submit = (event) => {
    event.preventDefault();
    const other = field.current.value.trim();
    if (other !== '') choose(other);
  };
  return html`
    <section class="pane picker" aria-labelledby="picker-title">
      <h2 id="picker-title">Compare with which chain?</h2>
      <form class="picker-form" onSubmit=${submit}>
        <div class="field is-wide">
          <input ref=${field} type="text" placeholder="Its id, or how it begins" aria-label="The other chain's id" autocomplete="off" spellcheck=${false}
            onInput=${(event) => type(event.currentTarget.value.trim())} data-testid="compare-with" />
        </div>
        <button type="submit" class="button">Compare</button>
      </form>
      ${fault && html`<p class="fault is-block" role="alert">${fault.message}</p>`}
      ${chains?.length === 0 && html`<p class="quiet">${prefix ? 'No other chain begins like this.' : 'There is no other chain yet.'}</p>`}
      <ul class="picker-list">
        ${chains?.map(
          (chain) => html`
            <li key=${chain.correlation_id}>
              <button type="button" class="picker-option" onClick=${() => choose(chain.correlation_id)} data-testid="compare-option" data-id=${chain.correlation_id}>
                <span class="chain-id">${name(chain.correlation_id)}</span>
                ${!chain.complete && html`<span class="status is-incomplete"><i></i>incomplete</span>`}
                <span class="picker-entries quiet">${counted(chain.trace_count, 'entry', 'entries')}</span>
                <span class="number">${duration(chain.last_ts - chain.first_ts)}</span>
                <span class="picker-age quiet number">${ago(Date.now() - chain.last_ts)}</span>
              </button>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}
