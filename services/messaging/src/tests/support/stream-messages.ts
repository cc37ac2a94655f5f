import { randomUUID } from 'node:crypto';
import type { LogMessage, StreamMessage } from '../../ports.ts';
import { Sealed } from '../../sealed.ts';

/** A message for the stream; what is not given is made up. */
export function streamMessage(
  given: Partial<LogMessage> & { readonly epoch?: number; readonly resent?: boolean } = {},
): StreamMessage {
  const { epoch = 1, resent = false, ...message } = given;
  return {
    epoch,
    resent,
    message: {
      conversationId: randomUUID(),
      seq: 1,
      messageId: randomUUID(),
      eventId: randomUUID(),
      eventType: 'MessageCreated',
      occurredAt: Date.now(),
      membersVersion: 1,
      replayNo: 0,
      payload: new Sealed('{"ciphertext":"c2VjcmV0","sender":"alice"}'),
      ...message,
    },
  };
}

/** `count` messages of one conversation, seq from 1. */
export function conversationMessages(count: number): StreamMessage[] {
  const conversationId = randomUUID();
  return Array.from({ length: count }, (_, i) => streamMessage({ conversationId, seq: i + 1 }));
}
