import type { ErrorCode } from '@sanctum/protocol';

/**
 * What goes wrong on this side of the wire:
 * - `unreachable`: no answer · `bad_answer`: an answer that is not the service's;
 * - `login_required`: the token is refused for good, is another user's, or there is no new one: log in anew;
 * - `protocol_broken`: one of the two sides has a bug, and trying again would end the same way;
 * - `outbox_expired`: an unsent message is too old to be sent again safely;
 * - `key_exhausted`: the cipher may not use its key any more;
 * - `listener_failed`: the application's, with its error as `cause` · `storage_failed`;
 * - `closed`: the client was closed.
 */
export type LocalErrorCode =
  | 'unreachable'
  | 'bad_answer'
  | 'login_required'
  | 'protocol_broken'
  | 'outbox_expired'
  | 'key_exhausted'
  | 'listener_failed'
  | 'storage_failed'
  | 'closed';

/** A code of this side, of the service, or of a newer service. */
export type SanctumErrorCode = LocalErrorCode | ErrorCode | (string & {});

/** Every error that the client throws or reports. Never holds plaintext, ciphertext or a token. */
export class SanctumError extends Error {
  override readonly name = 'SanctumError';
  declare readonly code: SanctumErrorCode;
  /** The same call may succeed later. */
  declare readonly retryable: boolean;
  /** The least pause before that, where the service named one, in milliseconds. */
  declare readonly retryAfterMs: number | undefined;

  constructor(
    code: SanctumErrorCode,
    message: string,
    options: { cause?: unknown; retryable?: boolean; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whatever was thrown, as an error of ours. */
export function sanctumError(error: unknown, code: LocalErrorCode, message: string): SanctumError {
  return error instanceof SanctumError ? error : new SanctumError(code, message, { cause: error });
}
