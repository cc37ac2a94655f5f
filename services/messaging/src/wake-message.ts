import { BUCKETS } from './bucket.ts';

/** What intake says on the channel `wake`: the buckets that have new rows, as `3,17,60`. */
export function encodeWake(buckets: Iterable<number>): Buffer {
  return Buffer.from([...new Set(buckets)].join(','), 'latin1');
}

/** Numbers that are no bucket are left out: the bus is open to everyone who reaches Redis. */
export function decodeWake(bytes: Buffer): number[] {
  const buckets = new Set<number>();
  for (const text of bytes.toString('latin1', 0, WAKE_MAX_BYTES).split(',')) {
    if (/^\d{1,2}$/.test(text) && Number(text) < BUCKETS) buckets.add(Number(text));
  }
  return [...buckets];
}

/** All 64 buckets take 181 bytes. */
const WAKE_MAX_BYTES = 256;
