import { createHash } from 'node:crypto';

/** Conversations are dealt into this many buckets, the dispatchers' unit of ownership. Frozen in the schema. */
export const BUCKETS = 64;

/**
 * The bucket of a conversation: the first two hex digits of the md5 of its id's text, modulo 64. The same as
 * `messaging.bucket_of` in SQL; a difference would only cost latency, since the claim goes by the row's column.
 */
export function bucketOf(conversationId: string): number {
  return (createHash('md5').update(conversationId).digest()[0] as number) % BUCKETS;
}
