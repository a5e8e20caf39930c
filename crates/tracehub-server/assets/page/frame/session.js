// Whether this browser has signed in. The cookie itself is for no script to read, so a note beside it says so, for all tabs
// as the cookie is. When the server asks for a secret all the same, the note was wrong.

import { needsSecret } from '../base/api.js';

const KEY = 'tracehub.signed-in';

needsSecret.watch((asks) => asks && setSignedIn(false));

export function isSignedIn() {
  try {
    return localStorage.getItem(KEY) === 'yes';
  } catch {
    return false;
  }
}

export function setSignedIn(is) {
  try {
    if (is) localStorage.setItem(KEY, 'yes');
    else localStorage.removeItem(KEY);
  } catch {
    // Without storage there is no button to sign out; closing the browser does.
  }
}
