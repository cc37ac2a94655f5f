import { expect, it } from 'vitest';
import { BUCKETS } from './bucket.ts';
import { decodeWake, encodeWake } from './wake-message.ts';

it('names each bucket once, all of them if need be', () => {
  expect(encodeWake([3, 17, 3]).toString()).toBe('3,17');
  const all = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
  expect(decodeWake(encodeWake(all))).toEqual(all);
});

it('takes no number that is not a bucket', () => {
  for (const text of ['', ',', '64', '-1', '1.5', '0x3', ' 3', 'NaN', '999', '٣']) {
    expect(decodeWake(Buffer.from(text))).toEqual([]);
  }
  expect(decodeWake(Buffer.from('5,x,6'))).toEqual([5, 6]);
  expect(decodeWake(Buffer.from('7,'.repeat(1_000_000)))).toEqual([7]);
});
