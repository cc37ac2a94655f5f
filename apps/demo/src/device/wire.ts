import type { MessageFrame } from '@sanctum/protocol';
import type { Wire } from './device-messages.ts';

/** What is shown of a frame. An operator's row may hold any JSON at all: what is not as it should be is not there. */
export function wireOf({ conversation_id, seq, message_id, occurred_at, payload }: MessageFrame): Wire {
  const { ciphertext, sender, encryption } = fieldsOf(payload);
  const { scheme, key_id } = fieldsOf(encryption);
  return {
    conversationId: conversation_id,
    seq,
    messageId: message_id,
    sender: textOf(sender),
    occurredAt: occurred_at,
    scheme: textOf(scheme),
    keyId: textOf(key_id),
    ciphertext: textOf(ciphertext),
  };
}

function fieldsOf(value: unknown): Partial<Record<string, unknown>> {
  return value ?? {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
