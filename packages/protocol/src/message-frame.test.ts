import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MESSAGE_FRAME_OVERHEAD_MAX_BYTES } from './limits.ts';
import { encodeMessageFrame } from './message-frame.ts';
import { formatTime, isEventType, utf8Length } from './scalars.ts';

const FIELDS = {
  conversationId: '11111111-1111-1111-1111-111111111111',
  seq: 7,
  messageId: '22222222-2222-2222-2222-222222222222',
  eventType: 'MessageCreated',
  occurredAt: '2025-02-03T04:05:06.789Z',
  membersVersion: 3,
  payloadJson: '{"ciphertext": "AAAA"}',
};

test('a message stands in this order, its payload untouched', () => {
  expect(encodeMessageFrame(FIELDS)).toBe(
    '{"type":"message","conversation_id":"11111111-1111-1111-1111-111111111111","seq":7,' +
      '"message_id":"22222222-2222-2222-2222-222222222222","event_type":"MessageCreated",' +
      '"occurred_at":"2025-02-03T04:05:06.789Z","members_version":3,"payload":{"ciphertext": "AAAA"}}',
  );
});

test('replay is said from the first one on', () => {
  expect(encodeMessageFrame({ ...FIELDS, replay: 0 })).toBe(encodeMessageFrame(FIELDS));
  expect(JSON.parse(encodeMessageFrame({ ...FIELDS, replay: 2 }))).toHaveProperty('replay', 2);
});

test('a number too large for a double stays as it was written', () => {
  const payloadJson = '{"n":12345678901234567890123,"x":1e9999}';
  expect(encodeMessageFrame({ ...FIELDS, payloadJson })).toContain(payloadJson);
});

test('the frame is JSON whatever the event type and payload, and its frame around the payload is bounded', () => {
  const eventType = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }).filter(isEventType);
  const seq = fc.maxSafeNat();
  fc.assert(
    fc.property(eventType, fc.json(), seq, seq, fc.nat(), (type, payloadJson, place, version, ms) => {
      const frame = encodeMessageFrame({
        ...FIELDS,
        eventType: type,
        payloadJson,
        seq: place,
        membersVersion: version,
        occurredAt: formatTime(ms),
        replay: version,
      });
      expect(JSON.parse(frame)).toMatchObject({ event_type: type, seq: place, members_version: version });
      expect(JSON.stringify(JSON.parse(frame).payload)).toBe(JSON.stringify(JSON.parse(payloadJson)));
      expect(utf8Length(frame) - utf8Length(payloadJson)).toBeLessThanOrEqual(
        MESSAGE_FRAME_OVERHEAD_MAX_BYTES,
      );
    }),
  );
});

test('the worst event type still leaves the frame its bound', () => {
  const max = Number.MAX_SAFE_INTEGER;
  const worst = {
    ...FIELDS,
    eventType: '"'.repeat(100),
    seq: max,
    membersVersion: max,
    replay: max,
    payloadJson: '',
  };
  expect(isEventType(worst.eventType)).toBe(true);
  expect(encodeMessageFrame(worst).length).toBeLessThanOrEqual(MESSAGE_FRAME_OVERHEAD_MAX_BYTES);
});
