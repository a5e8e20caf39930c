// The page as a whole: what frames every view, and which view the address asks for.

import { html, useState } from '../vendor/preact-htm.js';
import { needsSecret } from './base/api.js';
import { useKeys } from './base/keyboard.js';
import { route } from './base/router.js';
import { useStore } from './base/store.js';
import { ChainView } from './chain/view.js';
import { ChainsView } from './chains/view.js';
import { Banner } from './frame/banner.js';
import { Header } from './frame/header.js';
import { Help } from './frame/help.js';
import { Notice } from './frame/notice.js';
import { SignIn } from './frame/sign-in.js';

export function App() {
  const parameters = useStore(route);
  const asksForSecret = useStore(needsSecret);
  const [isHelpOpen, setHelpOpen] = useState(false);
  useKeys({ '?': () => setHelpOpen(true) });
  return html`
    <${Header} onHelp=${() => setHelpOpen(true)} isOpen=${!asksForSecret} />
    <${Banner} />
    <main class="main">
      ${asksForSecret
        ? html`<${SignIn} />`
        : parameters.chain
          ? html`<${ChainView} key=${parameters.chain} id=${parameters.chain} parameters=${parameters} />`
          : html`<${ChainsView} parameters=${parameters} />`}
    </main>
    ${isHelpOpen && html`<${Help} onClose=${() => setHelpOpen(false)} />`}
    <${Notice} />
  `;
}
