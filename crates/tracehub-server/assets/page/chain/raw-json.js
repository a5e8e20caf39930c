// The server's answer as it is, laid out for reading.

import { html, useMemo } from '../../vendor/preact-htm.js';
import { copy } from '../base/clipboard.js';
import { address, chainPath } from '../base/api.js';
import { bytes, count } from '../base/format.js';
import { Icon } from '../base/icons.js';
import { pretty } from '../base/json-text.js';
import { VirtualList } from '../base/virtual-list.js';

const ROW = 18;

export function RawJson({ id, entries }) {
  const lines = useMemo(() => (entries ? pretty(entries.text).split('\n') : []), [entries]);
  if (!entries) return html`<div class="loading" role="status">Loading the entries…</div>`;
  const row = (index) => html`<span class="json-line"><i>${index + 1}</i>${coloured(lines[index])}</span>`;
  return html`
    <div class="pane raw">
      <div class="raw-bar">
        <span class="quiet">${count(lines.length)} lines, ${bytes(entries.text.length)}</span>
        <span class="header-rest"></span>
        <button type="button" class="plain-button" onClick=${() => copy(lines.join('\n'), 'the JSON')} data-testid="copy-json"><${Icon} name="copy" /> Copy</button>
        <a class="plain-button" href=${address(chainPath(id))} target="_blank" rel="noreferrer"><${Icon} name="out" /> Open</a>
      </div>
      <${VirtualList} className="raw-list" count=${lines.length} rowHeight=${ROW} row=${row} attributes=${{ role: 'group', 'aria-label': 'JSON' }} />
    </div>
  `;
}

/** A line with its key told from its value. */
function coloured(line) {
  const found = /^(\s*)("(?:[^"\\]|\\.)*")(: )(.*)$/.exec(line);
  if (!found) return html`<span class="json-value">${line}</span>`;
  const [, indent, key, colon, value] = found;
  return html`${indent}<span class="json-key">${key}</span>${colon}<span class="json-value">${value}</span>`;
}
