import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sealed } from '../sealed.ts';
import { streamMessage } from '../tests/support/stream-messages.ts';
import { decodeBusFrame, encodeBusFrame } from './bus-frame.ts';

const seqs = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.maxSafeNat());

describe('bus frame', () => {
  it('brings back what it was made of', () => {
    const given = fc.record({
      epoch: seqs,
      seq: seqs.map((seq) => Math.max(1, seq)),
      membersVersion: seqs,
      replayNo: seqs,
      occurredAt: fc.integer({ min: 0, max: Date.parse('9999-01-01') }),
      payload: fc.json({ stringUnit: 'grapheme' }).map((json) => new Sealed(json)),
    });
    fc.assert(
      fc.property(given, (message) => {
        const sent = streamMessage(message);
        const frame = decodeBusFrame(encodeBusFrame(sent));
        const { seq, membersVersion, replayNo: replay, occurredAt, payload } = message;
        expect(frame).toMatchObject({ epoch: message.epoch, seq, membersVersion, replay, occurredAt });
        expect(JSON.parse(frame?.json.toString() ?? '')).toEqual({
          type: 'message',
          conversation_id: sent.message.conversationId,
          seq,
          message_id: sent.message.messageId,
          event_type: 'MessageCreated',
          occurred_at: new Date(occurredAt).toISOString(),
          members_version: membersVersion,
          ...(replay > 0 ? { replay } : {}),
          payload: JSON.parse(payload.reveal()) as unknown,
        });
      }),
    );
  });

  it('does not copy the JSON', () => {
    const bytes = encodeBusFrame(streamMessage());
    expect(decodeBusFrame(bytes)?.json.buffer).toBe(bytes.buffer);
  });

  const json = '{"type":"message","seq":1}';
  it.each([
    ['nothing', ''],
    ['no header', json],
    ['another version', `2 1 1 1 0 0\n${json}`],
    ['a number missing', `1 1 1 1 0\n${json}`],
    ['no number', `1 1 x 1 0 0\n${json}`],
    ['a leading zero', `1 1 01 1 0 0\n${json}`],
    ['a negative number', `1 1 -1 1 0 0\n${json}`],
    ['two spaces', `1 1  1 1 0 0\n${json}`],
    ['a space at the end', `1 1 1 1 0 0 \n${json}`],
    ['too large a number', `1 1 9007199254740992 1 0 0\n${json}`],
    ['no place', `1 1 0 1 0 0\n${json}`],
    ['a header without end', `1 ${'1'.repeat(200)}\n${json}`],
    ['no JSON', '1 1 1 1 0 0\n'],
    ['another frame', '1 1 1 1 0 0\n{"type":"gap"}'],
    ['JSON cut short', `1 1 1 1 0 0\n${json.slice(0, -1)}`],
  ])('takes nothing for a message that has %s', (_, text) => {
    expect(decodeBusFrame(Buffer.from(text))).toBeUndefined();
  });

  it('takes no random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeBusFrame(Buffer.from(bytes))).toBeUndefined();
      }),
    );
  });
});
