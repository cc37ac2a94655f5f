import { TOO_MANY_CONNECTIONS_RETRY_MS } from './limits.ts';

/**
 * What a client does when its socket closes:
 * - `retry`: with full jitter, the reason's `retry_after_ms` and the code's `retryFloorMs` as floors;
 * - `refresh_token`: gets a new token, then retries;
 * - `stop_login`: stops until the user logs in anew;
 * - `stop_bug`: stops and reports a bug, since doing the same again ends the same way.
 */
export type CloseAction = 'retry' | 'refresh_token' | 'stop_login' | 'stop_bug';

export interface CloseCode {
  readonly name: string;
  readonly action: CloseAction;
  /** Least pause before a retry, in milliseconds. */
  readonly retryFloorMs?: number;
}

export const CLOSE_CODES = {
  1000: { name: 'normal', action: 'stop_login' },
  1001: { name: 'going_away', action: 'retry' },
  1002: { name: 'protocol_error', action: 'stop_bug' },
  1003: { name: 'unsupported_data', action: 'stop_bug' },
  1006: { name: 'abnormal', action: 'retry' },
  1007: { name: 'invalid_data', action: 'stop_bug' },
  1009: { name: 'too_big', action: 'stop_bug' },
  1011: { name: 'server_error', action: 'retry' },
  1012: { name: 'service_restart', action: 'retry' },
  1013: { name: 'try_later', action: 'retry' },
  4401: { name: 'token_expired', action: 'refresh_token' },
  4408: { name: 'hello_timeout', action: 'retry' },
  4412: { name: 'slow_consumer', action: 'retry' },
  4420: { name: 'drain', action: 'retry' },
  4429: { name: 'rate_limited', action: 'retry' },
  4430: {
    name: 'too_many_connections',
    action: 'retry',
    retryFloorMs: TOO_MANY_CONNECTIONS_RETRY_MS,
  },
  4500: { name: 'bad_frame', action: 'stop_bug' },
  4501: { name: 'token_invalid', action: 'stop_login' },
  4503: { name: 'revoked', action: 'stop_login' },
} as const satisfies Record<number, CloseCode>;

/** Apart from the table, so that a client which shows none does not load them. */
const CLOSE_MEANINGS: { readonly [C in keyof typeof CLOSE_CODES]: string } = {
  1000: 'closed on purpose',
  1001: 'the peer goes away',
  1002: 'a frame broke RFC 6455',
  1003: 'a frame of a kind that is not taken',
  1006: 'the connection was lost',
  1007: 'text that is not UTF-8',
  1009: 'a frame above the bound',
  1011: 'the server failed',
  1012: 'the log or the service starts anew',
  1013: 'full, or something needed cannot be had now',
  4401: 'the token has expired',
  4408: 'no hello, or not all cursors, in time',
  4412: 'no ack or no write progress in time',
  4420: 'this pod is shutting down',
  4429: 'too many frames',
  4430: 'the user has as many connections as they may',
  4500: 'a frame broke the protocol',
  4501: 'the token is not valid',
  4503: 'this login has been revoked',
};

/** What a code says, for people. */
export function closeMeaning(code: number): string {
  return CLOSE_MEANINGS[code as keyof typeof CLOSE_CODES] ?? 'a code that is not known here';
}

/** Codes by name, for the side that closes: `CLOSE.bad_frame` is 4500. */
export const CLOSE = /* @__PURE__ */ Object.fromEntries(
  /* @__PURE__ */ Object.entries(CLOSE_CODES).map(([code, { name }]) => [name, Number(code)]),
) as { readonly [C in keyof typeof CLOSE_CODES as (typeof CLOSE_CODES)[C]['name']]: C };

export type CloseName = keyof typeof CLOSE;

/** The table's entry for a code, or undefined where it is not one of ours. */
export function closeCode(code: number): CloseCode | undefined {
  return Object.hasOwn(CLOSE_CODES, code) ? CLOSE_CODES[code as keyof typeof CLOSE_CODES] : undefined;
}

const BUGS: readonly number[] = [1002, 1003, 1007, 1009];
const LOGINS_OVER: readonly number[] = [1000, 4501, 4503];

/**
 * What a client does about a close code. An unknown one goes by its range: 45xx stops, all else retries. Without the
 * table, which a client then need not load; a test holds the two together.
 */
export function closeAction(code: number): CloseAction {
  if (code === 4401) return 'refresh_token';
  if (LOGINS_OVER.includes(code)) return 'stop_login';
  return BUGS.includes(code) || (code >= 4500 && code <= 4599) ? 'stop_bug' : 'retry';
}

/** Least pause before a retry after this code, in milliseconds. */
export function retryFloorMs(code: number): number {
  return code === 4430 ? TOO_MANY_CONNECTIONS_RETRY_MS : 0;
}

/** The reason of a close frame: `{"retry_after_ms":n}`, n in whole milliseconds, or empty without a hint. */
export function closeReason(retryAfterMs?: number): string {
  if (retryAfterMs === undefined) return '';
  return JSON.stringify({ retry_after_ms: Math.max(0, Math.ceil(retryAfterMs)) });
}

/** The hint of a close frame's reason, in milliseconds; undefined where it holds none. Never throws. */
export function parseCloseReason(reason: string): number | undefined {
  if (reason === '') return undefined;
  try {
    const hint = (JSON.parse(reason) as { retry_after_ms?: unknown } | null)?.retry_after_ms;
    return typeof hint === 'number' && hint >= 0 ? hint : undefined;
  } catch {
    return undefined;
  }
}
