// Light, dark, or as the system has it.

import { Store } from './store.js';

const KEY = 'tracehub.theme';
const system = matchMedia('(prefers-color-scheme: dark)');

/** What is shown: `light` or `dark`. */
export const theme = new Store(shown());

system.addEventListener('change', () => theme.set(shown()));

function shown() {
  return document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light');
}

/** Shows the other one. What the system has by itself needs no choice, and so follows it again. */
export function switchTheme() {
  const wanted = shown() === 'dark' ? 'light' : 'dark';
  const isOfSystem = (wanted === 'dark') === system.matches;
  if (isOfSystem) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  try {
    if (isOfSystem) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, wanted);
  } catch {
    // Without storage, the choice lasts as long as the page.
  }
  theme.set(wanted);
}
