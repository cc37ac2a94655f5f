import type { MessageFrame } from '@sanctum/protocol';
import { expect, test } from 'vitest';
import { A, B } from '../tests/ids.ts';
import { eventLine } from './event-line.ts';
import { messageEvent, type TailEvent } from './tail-event.ts';

const NOW = '2025-02-03T04:05:06.789Z';
const line = (event: TailEvent): string =>
  eventLine(event, { nowMs: Date.parse(NOW), paint: (_style, text) => text });
const frame = (payload: unknown): MessageFrame => ({
  type: 'message',
  conversation_id: A,
  seq: 3,
  message_id: B,
  event_type: 'MessageCreated',
  occurred_at: '2025-02-03T04:05:06.000Z',
  members_version: 1,
  payload,
});

test('a message: time, conversation, seq, message_id, sender, size, and no ciphertext', () => {
  const event = messageEvent(frame({ ciphertext: 'c2VhbGVk', sender: 'alice' }), { late: false });
  expect(line(event)).toBe(`2025-02-03T04:05:06.000Z  ${A}  #3  ${B}  alice  6 bytes`);
  expect(JSON.stringify(event)).not.toContain('c2VhbGVk');
});

test.each([null, 5, 'text', [], {}, { sender: 1, ciphertext: 'no base64' }])(
  "an operator's row may hold anything: %j",
  (payload) => {
    expect(line(messageEvent(frame(payload), { late: true }))).toMatch(/ {2}- {2}no ciphertext {2}late$/);
  },
);

test('a sender cannot steer the terminal', () => {
  expect(line(messageEvent(frame({ sender: '\u001b[2J' }), { late: false }))).not.toContain('\u001b');
});

test('gaps, members, resets and refusals', () => {
  const conversation_id = A;
  expect(
    [
      line({ type: 'gap', conversation_id, from: 2, to: 4, reason: 'retention' }),
      line({ type: 'member', conversation_id, change: 'added', user_id: 'bob', seq: 5 }),
      line({ type: 'reset', conversation_id, epoch: 2, reason: 'epoch' }),
      line({ type: 'refused', conversation_id, code: 'conversation_not_found' }),
    ].map((text) => text.replace(`${NOW}  ${A}  `, '')),
  ).toEqual([
    'gap #2–#4 (retention)',
    'bob added, at #5',
    'reset (epoch): the place in it was void',
    'not followed any more (conversation_not_found)',
  ]);
});
