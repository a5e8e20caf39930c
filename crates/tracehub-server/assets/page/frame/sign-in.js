// The way in where reading asks for a secret. The secret goes to the server once; a cookie that no script can read stays.

import { html, useEffect, useRef, useState } from '../../vendor/preact-htm.js';
import { post } from '../base/api.js';
import { counted } from '../base/format.js';
import { useTitle } from '../base/hooks.js';
import { setSignedIn } from './session.js';

export function SignIn() {
  const field = useRef(null);
  const [fault, setFault] = useState('');
  const [isBusy, setBusy] = useState(false);
  useTitle('Sign in');
  useEffect(() => field.current.focus(), []);

  const submit = async (event) => {
    event.preventDefault();
    const secret = field.current.value;
    if (secret === '' || isBusy) return;
    setBusy(true);
    setFault('');
    try {
      await post('login', { secret });
      setSignedIn(true);
      location.reload();
    } catch (error) {
      setFault(sentence(error));
      setBusy(false);
      field.current.value = '';
      field.current.focus();
    }
  };

  return html`
    <section class="sign-in" data-testid="sign-in" aria-labelledby="sign-in-title">
      <h1 id="sign-in-title">This server asks for a secret</h1>
      <p>It is the value of <code>TRACEHUB_READ_SECRET</code>, or of <code>TRACEHUB_SECRET</code> if there is no other.</p>
      <form onSubmit=${submit}>
        <label for="secret">Secret</label>
        <div class="sign-in-row">
          <input id="secret" ref=${field} type="password" autocomplete="current-password" required
            aria-describedby="sign-in-fault" data-testid="sign-in-secret" />
          <button class="button is-primary" type="submit" disabled=${isBusy}>Sign in</button>
        </div>
        <p id="sign-in-fault" class="fault" role="alert">${fault}</p>
      </form>
    </section>
  `;
}

function sentence(error) {
  if (error.status === 403) return 'This secret is not valid.';
  if (error.status === 429) return `There were too many wrong secrets. Try again in ${counted(error.retryAfter, 'second')}.`;
  return `Signing in failed: ${error.message}.`;
}
