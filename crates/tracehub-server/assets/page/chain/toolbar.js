// Which picture of the chain is shown, and what can be done with it.

import { html, useEffect } from '../../vendor/preact-htm.js';
import { count } from '../base/format.js';
import { Icon, IconButton } from '../base/icons.js';
import { HINT } from './search.js';

export const TABS = [
  { name: 'calls', label: 'Calls', testid: 'tab-calls' },
  { name: 'log', label: 'Log', testid: 'tab-log' },
  { name: 'sequence', label: 'Sequence', testid: 'tab-sequence' },
  { name: 'json', label: 'JSON', testid: 'raw-json' },
];

export function Toolbar({
  tab, hasFolds, onTab, field, sought, onSeek, found, total, folding, isAbsolute, onAbsolute, isFollowing, missed, onFollow,
}) {
  const hasSearch = tab !== '' && tab !== 'json';
  useEffect(() => {
    if (field.current && field.current !== document.activeElement) field.current.value = sought;
  }, [sought, hasSearch]);
  return html`
    <div class="toolbar">
      <div class="tabs" role="group" aria-label="Views">
        ${TABS.map(
          (each) => html`
            <button type="button" class="tab" aria-pressed=${tab === each.name} onClick=${() => onTab(each.name)} data-testid=${each.testid}>
              ${each.label}
            </button>
          `,
        )}
      </div>
      ${hasSearch && html`<div class="field is-search">
        <${Icon} name="search" />
        <input ref=${field} type="text" placeholder="Search in this chain" aria-label="Search in this chain" title=${HINT}
          defaultValue=${sought} autocomplete="off" spellcheck=${false} onInput=${(event) => onSeek(event.currentTarget.value)} data-testid="search" />
        ${found !== null
          ? html`<span class="field-note" role="status">${count(found)} of ${count(total)}</span>`
          : html`<kbd class="field-key" aria-hidden="true">/</kbd>`}
      </div>`}
      <span class="header-rest"></span>
      ${hasFolds && html`<span class="tool-group">
        <${IconButton} icon="collapse" label="Collapse one level" hint="Collapse one level ( [ ), all ( H )" onClick=${folding.collapseLevel} data-testid="collapse" />
        <${IconButton} icon="expand" label="Expand all" hint="Expand all ( L ), one level ( ] )" onClick=${folding.expandAll} data-testid="expand" />
      </span>`}
      ${hasSearch && html`
        <button type="button" class="toggle is-clock" aria-pressed=${isAbsolute} aria-label="Clock times" title="Times of the clock (t)" onClick=${onAbsolute} data-testid="absolute">
          <${Icon} name="clock" /> Clock times
        </button>`}
      <button type="button" class="toggle is-live" aria-pressed=${isFollowing} onClick=${onFollow} data-testid="follow"
        title=${isFollowing ? 'Stop following (f)' : 'Follow what comes in (f)'}>
        <${Icon} name=${isFollowing ? 'pause' : 'play'} />
        ${isFollowing ? 'Following' : missed > 0 ? `Paused, ${count(missed)} new` : 'Paused'}
      </button>
    </div>
  `;
}
