import { describe, expect, test } from 'vitest';
import {
  CLOSE,
  CLOSE_CODES,
  closeAction,
  closeCode,
  closeReason,
  parseCloseReason,
  retryFloorMs,
} from './close-codes.ts';

const ACTIONS = {
  stop_bug: [1002, 1003, 1007, 1009, 4500],
  stop_login: [1000, 4501, 4503],
  retry: [1001, 1006, 1011, 1012, 1013, 4408, 4412, 4420, 4429, 4430],
  refresh_token: [4401],
} as const;

describe('closeAction', () => {
  test.each(
    Object.entries(ACTIONS).flatMap(([action, codes]) => codes.map((code) => [code, action] as const)),
  )('%d: %s', (code, action) => expect(closeAction(code)).toBe(action));

  test('the table holds these codes and no other', () => {
    const listed = Object.values(ACTIONS).flat();
    expect(Object.keys(CLOSE_CODES).map(Number)).toEqual([...listed].sort((a, b) => a - b));
  });

  test.each([4400, 4402, 4499])('unknown %d retries by its range', (code) =>
    expect(closeAction(code)).toBe('retry'),
  );
  test.each([4502, 4504, 4599])('unknown %d stops by its range', (code) => {
    expect(closeAction(code)).toBe('stop_bug');
  });
  test.each([1005, 1015, 3000, 4000, 4600, 0, NaN])('unknown %d retries', (code) => {
    expect(closeAction(code)).toBe('retry');
  });
});

test('codes are found by name and by number', () => {
  expect(CLOSE.bad_frame).toBe(4500);
  expect(CLOSE.too_many_connections).toBe(4430);
  for (const [name, code] of Object.entries(CLOSE)) expect(closeCode(code)?.name).toBe(name);
  expect(closeCode(4599)).toBeUndefined();
});

test('only too many connections has a floor of its own', () => {
  expect(retryFloorMs(4430)).toBe(30_000);
  for (const code of Object.values(CLOSE)) if (code !== 4430) expect(retryFloorMs(code)).toBe(0);
  expect(retryFloorMs(4499)).toBe(0);
});

describe('the reason', () => {
  test('is a hint in whole milliseconds, or empty', () => {
    expect(closeReason()).toBe('');
    expect(closeReason(0)).toBe('{"retry_after_ms":0}');
    expect(closeReason(1500.2)).toBe('{"retry_after_ms":1501}');
    expect(closeReason(-5)).toBe('{"retry_after_ms":0}');
  });

  test('is read back, and fits a close frame', () => {
    expect(parseCloseReason(closeReason(30_000))).toBe(30_000);
    expect(parseCloseReason('')).toBeUndefined();
    expect(closeReason(Number.MAX_SAFE_INTEGER).length).toBeLessThan(123);
  });

  test.each(['x', '{', 'null', '[]', '1', '{"retry_after_ms":"1"}', '{"retry_after_ms":-1}', '{"other":1}'])(
    'without a hint: %s',
    (reason) => expect(parseCloseReason(reason)).toBeUndefined(),
  );
});
