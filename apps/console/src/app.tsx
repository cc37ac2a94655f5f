import type { Me } from '@sanctum/protocol/admin';
import { useCallback, useLayoutEffect, useState } from 'preact/hooks';
import { Login } from './login.tsx';
import type { ApiError } from './server/api-error.ts';
import { Api } from './server/api.ts';
import { forgetToken, keepToken, keptToken, tokenFromAddress } from './server/session.ts';
import { Shell } from './shell.tsx';
import { inWords } from './ui/hooks.ts';

type State =
  { at: 'login'; error?: ApiError | undefined; busy: boolean } | { at: 'console'; api: Api; me: Me };

/** Either the login or the console. A token that stops being good leads back to the login, which says why. */
export function App() {
  const [state, setState] = useState<State>({ at: 'login', busy: true });
  const login = useCallback(async (token: string | undefined) => {
    if (token === undefined) return setState({ at: 'login', busy: false });
    setState({ at: 'login', busy: true });
    const over = (error: ApiError): void => {
      forgetToken();
      setState({ at: 'login', error, busy: false });
    };
    const api = new Api(token, over);
    try {
      const me = await api.get<Me>('me');
      keepToken(token);
      setState({ at: 'console', api, me });
    } catch (error) {
      setState({ at: 'login', error: inWords(error), busy: false });
    }
  }, []);
  useLayoutEffect(() => {
    void login(tokenFromAddress() ?? keptToken());
    // A link with a token may be opened in a tab that has the page already.
    const changed = (): void => {
      const token = tokenFromAddress();
      if (token !== undefined) void login(token);
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, [login]);
  if (state.at === 'login') {
    return <Login error={state.error} busy={state.busy} login={(token) => void login(token)} />;
  }
  const logOut = (): void => {
    forgetToken();
    setState({ at: 'login', busy: false });
  };
  return <Shell key={state.me.sub} api={state.api} me={state.me} logOut={logOut} />;
}
