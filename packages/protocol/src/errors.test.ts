import { expect, test } from 'vitest';
import { ERROR_CODES, ERRORS, isErrorCode, problem } from './errors.ts';

const STATUS: Record<number, string> = {
  400:
    'invalid_json invalid_body unknown_field invalid_uuid invalid_ciphertext invalid_parameter ' +
    'subprotocol_required bad_frame unknown_type',
  401: 'token_missing token_invalid token_expired revoked',
  403: 'scope_required origin_denied not_owner',
  404: 'conversation_not_found not_found',
  405: 'method_not_allowed',
  409: 'message_id_reused conversation_exists conversation_full too_many_conversations cursor_ahead',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  500: 'internal',
  503: 'overloaded unavailable',
};

test('every code has its status, and there is no other code', () => {
  const expected = Object.entries(STATUS).flatMap(([status, codes]) =>
    codes.split(' ').map((code) => [code, Number(status)] as const),
  );
  expect(Object.fromEntries(ERROR_CODES.map((code) => [code, ERRORS[code].status]))).toEqual(
    Object.fromEntries(expected),
  );
});

test('titles are said once', () => {
  expect(new Set(Object.values(ERRORS).map(({ title }) => title)).size).toBe(ERROR_CODES.length);
});

test('a code is known by its own name only', () => {
  expect(isErrorCode('rate_limited')).toBe(true);
  for (const value of ['', 'toString', '__proto__', 'RATE_LIMITED', 429, null])
    expect(isErrorCode(value)).toBe(false);
});

test('a problem carries code, status and whole milliseconds', () => {
  expect(problem('rate_limited', { retryAfterMs: 1.5, detail: 'x' })).toEqual({
    type: 'urn:sanctum:error:rate_limited',
    title: 'Too many requests',
    status: 429,
    code: 'rate_limited',
    detail: 'x',
    retry_after_ms: 2,
  });
  expect(problem('not_found')).not.toHaveProperty('detail');
});
