import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  base64ByteLength,
  decodeBase64,
  encodeBase64,
  isCanonicalBase64,
  isCanonicalByAtob,
} from './base64.ts';
import { base64Length } from './limits.ts';

const CHECKS = [
  ['in Node', isCanonicalBase64],
  ['in browsers', isCanonicalByAtob],
] as const;

const WRONG = [
  'A',
  'AA',
  'AAA',
  'AA=',
  '=',
  '==',
  '====',
  'A===',
  'AB==',
  'AAB=',
  'AA==AAAA',
  'AA=A',
  'AAAA=',
  'AA A',
  'AAAA\n',
  ' AAAA',
  'AAA\n',
  'AAA\0',
  'AA-_',
  'AAAé',
  'AAA\u0141',
  '\u{1f4ac}AA',
];

describe.each(CHECKS)('base64 %s', (_name, isCanonical) => {
  test.each(['', 'AA==', 'AAA=', 'AAAA', '+/+/', 'QQ=='])('takes %j', (text) => {
    expect(isCanonical(text)).toBe(true);
  });

  test.each(WRONG)('refuses %j', (text) => expect(isCanonical(text)).toBe(false));

  test('writes and reads what Node does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const text = Buffer.from(bytes).toString('base64');
        expect(encodeBase64(bytes)).toBe(text);
        expect(isCanonical(text)).toBe(true);
        expect([...(decodeBase64(text) ?? [])]).toEqual([...bytes]);
        expect(base64ByteLength(text)).toBe(bytes.length);
        expect(base64Length(bytes.length)).toBe(text.length);
      }),
    );
  });

  test('takes a text if and only if it is what its bytes are written as', () => {
    const unit = fc.constantFrom(...'ABab01+/==-_ \n\u0141'.split(''));
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
        expect(isCanonical(text)).toBe(Buffer.from(text, 'base64').toString('base64') === text);
      }),
      { numRuns: 2000 },
    );
  });

  test('takes a payload of full size', () => {
    const bytes = new Uint8Array(65_536).map((_, i) => i * 31);
    const text = encodeBase64(bytes);
    expect(text.length).toBe(87_384);
    expect(isCanonical(text)).toBe(true);
    expect(isCanonical(`${text.slice(0, 40_000)} ${text.slice(40_001)}`)).toBe(false);
    expect(Buffer.from(decodeBase64(text) ?? []).equals(bytes)).toBe(true);
  });
});

test('what is not canonical is not decoded', () => {
  for (const text of WRONG) expect(decodeBase64(text)).toBeUndefined();
  expect(isCanonicalBase64(undefined)).toBe(false);
  expect(isCanonicalBase64(['AAAA'])).toBe(false);
});
