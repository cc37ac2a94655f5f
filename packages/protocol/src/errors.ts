/**
 * Every error code that a peer can see, with its HTTP status and title. A code means the same in an HTTP
 * problem and in a WebSocket `error` frame; changing one breaks clients.
 */

export const ERRORS = {
  invalid_json: { status: 400, title: 'The body is not JSON' },
  invalid_body: { status: 400, title: 'The body has a missing or wrong field' },
  unknown_field: { status: 400, title: 'There is a field that is not known here' },
  invalid_uuid: { status: 400, title: 'An id is not a lower-case UUID' },
  invalid_ciphertext: { status: 400, title: 'The ciphertext is empty or not canonical base64' },
  invalid_parameter: { status: 400, title: 'A parameter of the address is wrong' },
  subprotocol_required: { status: 400, title: 'The WebSocket subprotocol is missing or not known' },
  bad_frame: { status: 400, title: 'The frame breaks the protocol' },
  unknown_type: { status: 400, title: 'The frame has a type that is not known here' },
  token_missing: { status: 401, title: 'A token is required' },
  token_invalid: { status: 401, title: 'The token is not valid' },
  token_expired: { status: 401, title: 'The token has expired' },
  revoked: { status: 401, title: 'This login has been revoked' },
  scope_required: { status: 403, title: 'The token lacks a scope' },
  origin_denied: { status: 403, title: 'This origin is not allowed' },
  not_owner: { status: 403, title: 'Only the owner may do this' },
  conversation_not_found: { status: 404, title: 'There is no such conversation' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'This method is not allowed here' },
  message_id_reused: { status: 409, title: 'This message id names another message' },
  conversation_exists: { status: 409, title: 'This conversation exists and differs' },
  conversation_full: { status: 409, title: 'The conversation has as many members as it may' },
  too_many_conversations: { status: 409, title: 'The user is in as many conversations as they may' },
  cursor_ahead: { status: 409, title: 'The cursor is ahead of the conversation' },
  payload_too_large: { status: 413, title: 'The payload is too large' },
  unsupported_media_type: { status: 415, title: 'Only plain application/json is taken' },
  rate_limited: { status: 429, title: 'Too many requests' },
  overloaded: { status: 503, title: 'The service is busy' },
  unavailable: { status: 503, title: 'The service cannot do this now' },
  internal: { status: 500, title: 'The service failed' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** Every code, in the table's order. */
export const ERROR_CODES = Object.keys(ERRORS) as readonly ErrorCode[];

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value);
}

/** RFC 9457 `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  /** What is wrong and where, in our words only: nothing that was sent in is echoed. */
  readonly detail?: string;
  /** How long to wait before trying again, in milliseconds. */
  readonly retry_after_ms?: number;
}

/** Media type of a `Problem`. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** The problem of a code, as it goes on the wire. `retryAfterMs` is rounded up to whole milliseconds. */
export function problem(code: ErrorCode, extra: { detail?: string; retryAfterMs?: number } = {}): Problem {
  const { status, title } = ERRORS[code];
  return {
    type: `urn:sanctum:error:${code}`,
    title,
    status,
    code,
    ...(extra.detail !== undefined && { detail: extra.detail }),
    ...(extra.retryAfterMs !== undefined && { retry_after_ms: Math.max(0, Math.ceil(extra.retryAfterMs)) }),
  };
}
