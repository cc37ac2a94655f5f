import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatTime,
  isEventType,
  isKeyId,
  isScheme,
  isSeq,
  isTime,
  isUserId,
  isUuid,
  parseSeqText,
  utf8Length,
} from './scalars.ts';

const NOT_TEXTS = [undefined, null, 0, true, {}, [], ['a']];

describe('isUuid', () => {
  test.each(['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'])(
    'takes %s',
    (id) => {
      expect(isUuid(id)).toBe(true);
    },
  );

  test.each([
    '',
    '0F000000-0000-0000-0000-000000000000',
    '00000000-0000-0000-0000-00000000000',
    '00000000-0000-0000-0000-0000000000000',
    '00000000-0000-0000-0000-000000000000\n',
    ' 0000000-0000-0000-0000-000000000000',
    '000000000000-0000-0000-0000-00000000',
    '{0000000-0000-0000-0000-00000000000}',
    'g0000000-0000-0000-0000-000000000000',
    ...NOT_TEXTS,
  ])('refuses %j', (value) => {
    expect(isUuid(value)).toBe(false);
  });

  test('takes every lower-case UUID and refuses it in capitals', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        expect(isUuid(id)).toBe(true);
        if (id.toUpperCase() !== id) expect(isUuid(id.toUpperCase())).toBe(false);
      }),
    );
  });
});

describe('isSeq', () => {
  test.each([0, 1, 2 ** 53 - 1])('takes %d', (value) => expect(isSeq(value)).toBe(true));

  test.each([-1, 0.5, 2 ** 53, NaN, Infinity, '1', 1n, null, undefined, [1]])('refuses %s', (value) => {
    expect(isSeq(value)).toBe(false);
  });
});

describe('isUserId', () => {
  test.each([
    'a',
    ' ',
    'a b',
    'user:1@example.org',
    'ü'.repeat(127),
    '💬',
    '日本語',
    '\u{10ffff}',
    '__proto__',
  ])('takes %j', (id) => expect(isUserId(id)).toBe(true));

  test('bounds bytes, not characters', () => {
    expect(isUserId('a'.repeat(255))).toBe(true);
    expect(isUserId('a'.repeat(256))).toBe(false);
    expect(isUserId('ü'.repeat(128))).toBe(false);
    expect(isUserId('日'.repeat(85))).toBe(true);
    expect(isUserId('日'.repeat(86))).toBe(false);
    expect(isUserId('💬'.repeat(63))).toBe(true);
    expect(isUserId('💬'.repeat(64))).toBe(false);
  });

  test.each([
    '',
    '\0',
    'a\nb',
    'a\x1f',
    'a\x7f',
    'a\x80',
    'a\x9f',
    '\ud800',
    '\udc00x',
    'a\ud83d',
    ...NOT_TEXTS,
  ])('refuses %j', (value) => expect(isUserId(value)).toBe(false));

  test('an event type has the same rule and 100 bytes', () => {
    expect(isEventType('MessageCreated')).toBe(true);
    expect(isEventType('a'.repeat(100))).toBe(true);
    expect(isEventType('a'.repeat(101))).toBe(false);
    expect(isEventType('a\tb')).toBe(false);
  });
});

describe('isScheme and isKeyId', () => {
  test.each(['a', 'mls-1.0', 'x_y', 'a'.repeat(32)])('scheme %s', (value) =>
    expect(isScheme(value)).toBe(true),
  );

  test.each(['', 'A', 'a:b', 'a b', 'a'.repeat(33), 'a\n', 'ä', ...NOT_TEXTS])('no scheme %j', (value) => {
    expect(isScheme(value)).toBe(false);
  });

  test.each(['A', 'k:1', 'Key_1.b-2', 'k'.repeat(64)])('key %s', (value) =>
    expect(isKeyId(value)).toBe(true),
  );

  test.each(['', 'a/b', 'a b', 'k'.repeat(65), 'k\n', ...NOT_TEXTS])('no key %j', (value) => {
    expect(isKeyId(value)).toBe(false);
  });
});

describe('times', () => {
  test('are written with three decimals in UTC', () => {
    expect(formatTime(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(formatTime(new Date('2025-02-03T04:05:06+01:00'))).toBe('2025-02-03T03:05:06.000Z');
  });

  test.each([NaN, 8.64e15 + 1, Date.UTC(10_000, 0, 1), new Date(NaN)])('cannot be written: %s', (time) => {
    expect(() => formatTime(time)).toThrow(RangeError);
  });

  test.each(['2024-02-29T23:59:59.999Z', '0000-01-01T00:00:00.000Z'])('takes %s', (text) => {
    expect(isTime(text)).toBe(true);
  });

  test.each([
    '2025-02-29T00:00:00.000Z',
    '2025-02-30T00:00:00.000Z',
    '2025-01-01T24:00:00.000Z',
    '2025-01-01T00:00:60.000Z',
    '2025-01-01T00:00:00Z',
    '2025-01-01T00:00:00.0000Z',
    '2025-01-01T00:00:00.000+00:00',
    '2025-01-01 00:00:00.000Z',
    '2025-01-01t00:00:00.000z',
    '',
    ...NOT_TEXTS,
  ])('refuses %j', (value) => expect(isTime(value)).toBe(false));

  test('what is written is taken', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
        expect(isTime(formatTime(ms))).toBe(true);
      }),
    );
  });
});

describe('parseSeqText', () => {
  test.each([
    ['0', 0],
    ['7', 7],
    ['9007199254740991', 2 ** 53 - 1],
  ])('reads %s', (text, value) => expect(parseSeqText(text)).toBe(value));

  test.each([
    '',
    '-1',
    '+1',
    '01',
    '00',
    '1.0',
    '1e3',
    '0x1',
    ' 1',
    '1\n',
    '9007199254740992',
    '99999999999999999',
  ])('refuses %j', (text) => expect(parseSeqText(text)).toBeUndefined());
});

test('utf8Length counts what an encoder writes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
    }),
  );
  expect(utf8Length('\ud800')).toBe(3);
  expect(utf8Length('\ud800a')).toBe(4);
});
