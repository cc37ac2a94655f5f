import type { StreamEntry, StreamMessage } from '../../ports.ts';
import type { Sealed } from '../../sealed.ts';

/** What stands on the stream: a message, or something that nobody can use. */
export type MemoryContent =
  { readonly message: StreamMessage } | { readonly reason: string; readonly fields: Sealed };

export interface MemoryEntry {
  readonly id: string;
  /** 1, 2, 3 … in the order of appending. */
  readonly ordinal: number;
  readonly content: MemoryContent;
  readonly addedAt: number;
}

/** An entry as a reader gets it. */
export function toStreamEntry(stream: string, { id, content }: MemoryEntry, deliveries: number): StreamEntry {
  const place = { stream, entryId: id, deliveries };
  if ('reason' in content) {
    const { reason, fields } = content;
    return {
      ...place,
      content: undefined,
      reason,
      fields,
      eventId: undefined,
      conversationId: undefined,
      occurredAt: undefined,
    };
  }
  const { message } = content.message;
  return {
    ...place,
    content: content.message,
    reason: undefined,
    fields: message.payload,
    eventId: message.eventId,
    conversationId: message.conversationId,
    occurredAt: new Date(message.occurredAt).toISOString(),
  };
}
