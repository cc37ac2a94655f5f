/** An answer that was not the wanted one, or none (`unreachable`), in words for whoever reads the page. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }

  /** The login is over, or was never one: only another token helps. */
  get endsLogin(): boolean {
    return LOGIN_CODES.has(this.code);
  }
}

const LOGIN_CODES = new Set(['token_missing', 'token_invalid', 'token_expired', 'revoked', 'scope_required']);

const WORDS: Readonly<Record<string, string>> = {
  token_missing: 'Log in with a token.',
  token_invalid: 'This token is not valid here: it is mistyped, or signed for another installation.',
  token_expired: 'This token has expired. Log in with a new one.',
  revoked: 'This login has been revoked. Log in with a new token.',
  scope_required: 'This token is valid but not an operator’s: it lacks the scope “messaging:operate”.',
  unavailable:
    'What this needs cannot be asked at the moment: Postgres, Redis, or where the token’s keys come from. Try again soon.',
  overloaded: 'The service is too busy at the moment. Try again in a few seconds.',
  rate_limited: 'Too many requests. Try again in a few seconds.',
  not_found: 'There is no such thing, or no longer.',
  message_not_found: 'No message with this id is in the log. It may have expired, or the id is mistyped.',
  unreachable: 'The pod behind this page does not answer.',
  internal: 'The service failed at this. Its log tells more.',
};

/** What a problem document (RFC 9457) says, in words. */
export function apiError(status: number, problem: unknown): ApiError {
  const { code, detail } = (typeof problem === 'object' ? (problem ?? {}) : {}) as Record<string, unknown>;
  const name = typeof code === 'string' ? code : `status_${status}`;
  const said = typeof detail === 'string' ? detail : `The service answered ${status}.`;
  return new ApiError(name, WORDS[name] ?? said);
}

export function unreachable(): ApiError {
  return new ApiError('unreachable', WORDS['unreachable'] as string);
}
