import { useState } from 'preact/hooks';
import type { ApiError } from './server/api-error.ts';
import { Notice } from './ui/panel.tsx';

export function Login(props: { error: ApiError | undefined; busy: boolean; login: (token: string) => void }) {
  const [token, setToken] = useState('');
  const submit = (event: Event): void => {
    event.preventDefault();
    props.login(token.trim());
  };
  return (
    <main class="login">
      <form onSubmit={submit}>
        <h1>Sanctum console</h1>
        <p>
          Log in with an operator’s token: one with the scope <code>messaging:operate</code>. It stays in this
          tab and is forgotten when the tab is closed.
        </p>
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
            autocomplete="off"
            spellcheck={false}
            autofocus
            value={token}
            aria-invalid={props.error !== undefined}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {props.error === undefined ? null : <Notice sign="bad">{props.error.message}</Notice>}
        <button type="submit" class="primary" disabled={props.busy || token.trim() === ''}>
          {props.busy ? 'Logging in…' : 'Log in'}
        </button>
        <p class="note">
          On a development machine <code>./sanctum token --sub you --scope messaging:operate</code> prints
          one.
        </p>
      </form>
    </main>
  );
}
