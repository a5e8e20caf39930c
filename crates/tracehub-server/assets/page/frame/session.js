// Whether this browser has signed in. The cookie itself is for no script to read, so a note beside it says so.

const KEY = 'tracehub.signed-in';

export function isSignedIn() {
  try {
    return sessionStorage.getItem(KEY) === 'yes';
  } catch {
    return false;
  }
}

export function setSignedIn(is) {
  try {
    if (is) sessionStorage.setItem(KEY, 'yes');
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without storage there is no button to sign out; closing the browser does.
  }
}
