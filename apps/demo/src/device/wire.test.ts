import type { MessageFrame } from '@sanctum/protocol';
import { expect, it } from 'vitest';
import { wireOf } from './wire.ts';

function frame(payload: unknown): MessageFrame {
  return {
    ...{ type: 'message', conversation_id: 'c', seq: 1, message_id: 'm', event_type: 'MessageCreated' },
    ...{ occurred_at: 'now', members_version: 1, payload },
  };
}

it('a frame is shown as it came', () => {
  const encryption = { scheme: 'aes', key_id: '1' };
  expect(wireOf(frame({ ciphertext: 'QUJD', sender: 'ada', encryption }))).toEqual({
    ...{ conversationId: 'c', seq: 1, messageId: 'm', occurredAt: 'now' },
    ...{ sender: 'ada', scheme: 'aes', keyId: '1', ciphertext: 'QUJD' },
  });
});

it('a payload may be any JSON', () => {
  const strange = [null, 1, 'text', [], { encryption: null }, { sender: 7, encryption: { scheme: 7 } }];
  for (const payload of strange) {
    expect(wireOf(frame(payload))).toMatchObject({
      seq: 1,
      sender: '',
      scheme: '',
      keyId: '',
      ciphertext: '',
    });
  }
});
