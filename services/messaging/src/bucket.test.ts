import { expect, it } from 'vitest';
import { bucketOf } from './bucket.ts';

it('is what the schema has frozen', () => {
  // SELECT messaging.bucket_of('…')
  const frozen = {
    '00000000-0000-0000-0000-000000000000': 31,
    '11111111-1111-4111-8111-111111111111': 27,
    '3f0f4a3e-5a0b-4f7e-9a53-0d9a5c6f2b11': 37,
  };
  for (const [id, bucket] of Object.entries(frozen)) {
    expect(bucketOf(id)).toBe(bucket);
  }
});
