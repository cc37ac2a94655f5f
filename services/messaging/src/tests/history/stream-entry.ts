import type { UnstampedEvent } from './history.ts';
import { payloadHash } from './payload-hash.ts';

/** An entry of the stream, names and values in turn, as an event; undefined for the service's own synthetic messages. */
export function streamEntry(flat: readonly string[]): UnstampedEvent | undefined {
  const field = (name: string) => flat[flat.indexOf(name) + 1]!;
  // Nobody posted them.
  if (field('event_type') === 'SyntheticProbe') return undefined;
  return {
    type: 'entry',
    conversationId: field('conversation_id'),
    seq: Number(field('seq')),
    messageId: field('message_id'),
    hash: payloadHash(JSON.parse(field('payload'))),
    epoch: Number(field('epoch')),
    replay: Number(field('replay')),
    resent: Number(field('resent')),
  };
}
