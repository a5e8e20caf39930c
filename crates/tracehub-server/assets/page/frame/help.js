// The keys, in a dialog.

import { html, useEffect, useRef } from '../../vendor/preact-htm.js';
import { IconButton } from '../base/icons.js';
import { useKeys } from '../base/keyboard.js';

const KEYS = [
  ['Everywhere', [
    ['/', 'Search, or filter by id'],
    ['j  k', 'Next, previous'],
    ['Enter', 'Open'],
    ['Esc', 'Close, clear, or go back'],
    ['f', 'Pause, or follow what comes in'],
    ['?', 'This help'],
  ]],
  ['Chains', [
    ['i', 'Incomplete chains alone, or all'],
    ['n', 'Next page'],
  ]],
  ['A chain', [
    ['h  l', 'Collapse, expand a call'],
    ['[  ]', 'Collapse, expand one level'],
    ['H  L', 'Collapse, expand all'],
    ['+  −', 'Zoom in, out'],
    ['z', 'Zoom to the selected call'],
    ['0', 'All of the time'],
    ['<  >', 'Move to earlier, later'],
    ['t', 'Times: since the start, or of the clock'],
    ['1  2  3  4', 'Calls, log, sequence, JSON'],
    ['c', 'Compare with another chain'],
    ['y', 'Copy the id'],
  ]],
];

export function Help({ onClose }) {
  const dialog = useRef(null);
  useKeys({ isModal: true, Escape: onClose, '?': onClose });
  useEffect(() => {
    dialog.current.showModal();
    // The dialog, not its first button, which would look as if it were to be pressed.
    dialog.current.focus();
  }, []);
  // A click beside the box is on the dialog itself.
  const beside = (event) => event.target === dialog.current && onClose();
  return html`
    <dialog ref=${dialog} class="help" tabindex="-1" aria-labelledby="help-title" data-testid="help" onClose=${onClose} onClick=${beside}>
      <div class="help-box">
        <div class="help-head">
          <h2 id="help-title">Keys</h2>
          <${IconButton} icon="close" label="Close" onClick=${onClose} />
        </div>
        <div class="help-columns">
          ${KEYS.map(
            ([title, keys]) => html`
              <section>
                <h3>${title}</h3>
                <dl>
                  ${keys.map(
                    ([key, what]) => html`
                      <div><dt>${key.split('  ').map((each) => html`<kbd>${each}</kbd>`)}</dt><dd>${what}</dd></div>
                    `,
                  )}
                </dl>
              </section>
            `,
          )}
        </div>
        <p class="help-foot">A link can be opened in a new tab like any other; the address says what is shown.</p>
      </div>
    </dialog>
  `;
}
