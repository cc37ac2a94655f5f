import { expect, test } from 'vitest';
import {
  afterValue,
  countValue,
  durationValue,
  keyIdValue,
  schemeValue,
  urlValue,
  userIdsValue,
  userIdValue,
  uuidValue,
} from './option-values.ts';
import { A } from './tests/ids.ts';

test.each([
  ['30s', 30_000],
  ['15m', 900_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
  ['366d', 31_622_400_000],
])('a duration %s', (text, ms) => {
  expect(durationValue(text)).toBe(ms);
});

test.each(['', '1', 'h', '0s', '01h', '-1h', '1.5h', '1H', '1h ', '367d', '9999999999s'])(
  'no duration: %j',
  (text) => {
    expect(() => durationValue(text)).toThrow(/30s, 15m/);
  },
);

test('an address loses the slash at its end and keeps its path', () => {
  expect(urlValue('http://127.0.0.1:8083/')).toBe('http://127.0.0.1:8083');
  expect(urlValue('https://chat.example/sanctum/')).toBe('https://chat.example/sanctum');
});

test.each(['127.0.0.1:8083', 'ws://127.0.0.1', 'http://a/?x', 'http://a/#x', 'http://user:pw@a'])(
  'no address: %s',
  (text) => {
    expect(() => urlValue(text)).toThrow(/address/);
  },
);

test('a place to begin at', () => {
  expect([afterValue('start'), afterValue('head'), afterValue('0'), afterValue('12')]).toEqual([
    'start',
    'head',
    0,
    12,
  ]);
  for (const text of ['-1', '1.0', 'end', '', '9007199254740992']) expect(() => afterValue(text)).toThrow();
});

test('ids and names as the contract has them', () => {
  expect(uuidValue(A)).toBe(A);
  expect(() => uuidValue(A.toUpperCase())).toThrow(/lower case/);
  expect(userIdsValue('bob', ['alice'])).toEqual(['alice', 'bob']);
  expect(() => userIdValue('a\nb')).toThrow(/control/);
  expect([schemeValue('mls'), keyIdValue('K:1')]).toEqual(['mls', 'K:1']);
  expect(() => schemeValue('MLS')).toThrow();
  expect(() => keyIdValue('')).toThrow();
  expect(countValue('1')).toBe(1);
  expect(() => countValue('0')).toThrow();
});
