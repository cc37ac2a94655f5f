/*
 * The login of this tab. The token comes with the address (`#token=…`, which no browser sends to a server) or from
 * the login form; it is kept for this tab alone and ends with it.
 */

const KEY = 'sanctum-console-token';

/** Takes a token out of the address, so that it stays in no history and on no screen. */
export function tokenFromAddress(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given === null) return undefined;
  history.replaceState(null, '', location.pathname + location.search);
  return given === '' ? undefined : given;
}

/** The token of this tab's last login. */
export function keptToken(): string | undefined {
  return sessionStorage.getItem(KEY) ?? undefined;
}

export function keepToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}
