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
  readonly meaning: string;
  readonly action: CloseAction;
  /** Least pause before a retry, in milliseconds. */
  readonly retryFloorMs?: number;
}

export const CLOSE_CODES = {
  1000: { name: 'normal', meaning: 'closed on purpose', action: 'stop_login' },
  1001: { name: 'going_away', meaning: 'the peer goes away', action: 'retry' },
  1002: { name: 'protocol_error', meaning: 'a frame broke RFC 6455', action: 'stop_bug' },
  1003: { name: 'unsupported_data', meaning: 'a frame of a kind that is not taken', action: 'stop_bug' },
  1006: { name: 'abnormal', meaning: 'the connection was lost', action: 'retry' },
  1007: { name: 'invalid_data', meaning: 'text that is not UTF-8', action: 'stop_bug' },
  1009: { name: 'too_big', meaning: 'a frame above the bound', action: 'stop_bug' },
  1011: { name: 'server_error', meaning: 'the server failed', action: 'retry' },
  1012: { name: 'service_restart', meaning: 'the log or the service starts anew', action: 'retry' },
  1013: { name: 'try_later', meaning: 'full, or something needed cannot be had now', action: 'retry' },
  4401: { name: 'token_expired', meaning: 'the token has expired', action: 'refresh_token' },
  4408: { name: 'hello_timeout', meaning: 'no hello, or not all cursors, in time', action: 'retry' },
  4412: { name: 'slow_consumer', meaning: 'no ack or no write progress in time', action: 'retry' },
  4420: { name: 'drain', meaning: 'this pod is shutting down', action: 'retry' },
  4429: { name: 'rate_limited', meaning: 'too many frames', action: 'retry' },
  4430: {
    name: 'too_many_connections',
    meaning: 'the user has as many connections as they may',
    action: 'retry',
    retryFloorMs: TOO_MANY_CONNECTIONS_RETRY_MS,
  },
  4500: { name: 'bad_frame', meaning: 'a frame broke the protocol', action: 'stop_bug' },
  4501: { name: 'token_invalid', meaning: 'the token is not valid', action: 'stop_login' },
  4503: { name: 'revoked', meaning: 'this login has been revoked', action: 'stop_login' },
} as const satisfies Record<number, CloseCode>;

/** Codes by name, for the side that closes: `CLOSE.bad_frame` is 4500. */
export const CLOSE = Object.fromEntries(
  Object.entries(CLOSE_CODES).map(([code, { name }]) => [name, Number(code)]),
) as { readonly [C in keyof typeof CLOSE_CODES as (typeof CLOSE_CODES)[C]['name']]: C };

export type CloseName = keyof typeof CLOSE;

/** The table's entry for a code, or undefined where it is not one of ours. */
export function closeCode(code: number): CloseCode | undefined {
  return Object.hasOwn(CLOSE_CODES, code) ? CLOSE_CODES[code as keyof typeof CLOSE_CODES] : undefined;
}

/** What a client does about a close code. An unknown one goes by its range: 45xx stops, all else retries. */
export function closeAction(code: number): CloseAction {
  return closeCode(code)?.action ?? (code >= 4500 && code <= 4599 ? 'stop_bug' : 'retry');
}

/** Least pause before a retry after this code, in milliseconds. */
export function retryFloorMs(code: number): number {
  return closeCode(code)?.retryFloorMs ?? 0;
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
