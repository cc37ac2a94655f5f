import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { BUCKETS, bucketOf } from './bucket.ts';

it('is the first two hex digits of the md5, modulo 64', () => {
  // md5('00000000-0000-0000-0000-000000000000') = 9f89c84a559f573636a47ff8daed0d33
  expect(bucketOf('00000000-0000-0000-0000-000000000000')).toBe(0x9f % 64);
});

it('uses every bucket', () => {
  const seen = new Set(Array.from({ length: 5_000 }, () => bucketOf(randomUUID())));
  expect(seen.size).toBe(BUCKETS);
});
