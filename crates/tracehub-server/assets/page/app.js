// The page as a whole: what frames every view, and which view the address asks for.

import { html, useErrorBoundary, useState } from '../vendor/preact-htm.js';
import { needsSecret } from './base/api.js';
import { useKeys } from './base/keyboard.js';
import { route } from './base/router.js';
import { useStore } from './base/store.js';
import { ChainView } from './chain/view.js';
import { ChainsView } from './chains/view.js';
import { Banner } from './frame/banner.js';
import { Broken } from './frame/broken.js';
import { Header } from './frame/header.js';
import { Help } from './frame/help.js';
import { Notice } from './frame/notice.js';
import { SignIn } from './frame/sign-in.js';

export function App() {
  const asksForSecret = useStore(needsSecret);
  const [isHelpOpen, setHelpOpen] = useState(false);
  useKeys({ '?': () => setHelpOpen(true) });
  return html`
    <${Header} onHelp=${() => setHelpOpen(true)} isOpen=${!asksForSecret} />
    <${Banner} />
    <main class="main">
      ${asksForSecret ? html`<${SignIn} />` : html`<${View} />`}
    </main>
    ${isHelpOpen && html`<${Help} onClose=${() => setHelpOpen(false)} />`}
    <${Notice} />
  `;
}

/** The view that the address asks for. A fault of the page itself is said, not hidden behind what was there before. */
function View() {
  const parameters = useStore(route);
  const [fault] = useErrorBoundary((error) => console.error(error));
  if (fault) return html`<${Broken} error=${fault} />`;
  if (!parameters.chain) return html`<${ChainsView} parameters=${parameters} />`;
  return html`<${ChainView} key=${parameters.chain} id=${parameters.chain} parameters=${parameters} />`;
}
