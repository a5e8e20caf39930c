// The top of every view: the way home, the way to a chain whose id is known, and what holds for the whole page.

import { html } from '../../vendor/preact-htm.js';
import { post } from '../base/api.js';
import { say } from '../base/clipboard.js';
import { Icon, IconButton } from '../base/icons.js';
import { follow, go, listHref } from '../base/router.js';
import { useStore } from '../base/store.js';
import { connection } from '../base/stream.js';
import { switchTheme, theme } from '../base/theme.js';
import { isSignedIn, setSignedIn } from './session.js';

const STATES = { connecting: 'connecting', live: 'live', gone: 'no server' };

export function Header({ onHelp, isOpen }) {
  const state = useStore(connection);
  const shown = useStore(theme);
  const other = shown === 'dark' ? 'light' : 'dark';
  return html`
    <header class="header">
      <a class="brand" href=${listHref()} onClick=${follow} aria-label="TraceHub, all chains">
        <svg class="brand-mark" viewBox="0 0 22 16" aria-hidden="true">
          <rect class="brand-1" x="0" y="0" width="16" height="4" rx="1.5" />
          <rect class="brand-2" x="4" y="6" width="11" height="4" rx="1.5" />
          <rect class="brand-3" x="8" y="12" width="14" height="4" rx="1.5" />
        </svg>
        <span class="brand-name">TraceHub</span>
      </a>
      ${isOpen && html`<${GoTo} />`}
      <span class="header-rest"></span>
      ${isOpen &&
      html`<span class="connection is-${state}" role="status" data-testid="connection"><i></i>${STATES[state]}</span>`}
      ${isOpen && isSignedIn() && html`<${IconButton} icon="out" label="Sign out" onClick=${signOut} data-testid="sign-out" />`}
      <${IconButton} icon=${other === 'dark' ? 'moon' : 'sun'} label=${`Switch to ${other}`} onClick=${switchTheme} data-testid="theme" />
      <${IconButton} icon="help" label="Help" hint="Help (?)" onClick=${onHelp} data-testid="help-button" />
    </header>
  `;
}

/** A field that takes an id, from a log or a message, to its chain. */
function GoTo() {
  const submit = (event) => {
    event.preventDefault();
    const field = event.currentTarget.elements.id;
    const id = field.value.trim();
    if (id === '') return;
    field.value = '';
    field.blur();
    go({ chain: id });
  };
  return html`
    <form class="go-to" role="search" onSubmit=${submit}>
      <${Icon} name="search" />
      <input name="id" class="go-to-field" placeholder="Go to a correlation id" aria-label="Go to a correlation id"
        autocomplete="off" spellcheck=${false} data-testid="go-to" />
    </form>
  `;
}

async function signOut() {
  try {
    await post('logout', {});
    setSignedIn(false);
    location.reload();
  } catch (error) {
    say(error.message);
  }
}
