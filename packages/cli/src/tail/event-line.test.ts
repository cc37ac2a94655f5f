import type { ReceivedMessage } from '@sanctum/client';
import { expect, test } from 'vitest';
import { A, B } from '../tests/ids.ts';
import { eventLine } from './event-line.ts';
import { messageEvent, type TailEvent } from './tail-event.ts';

const NOW = '2025-02-03T04:05:06.789Z';
const line = (event: TailEvent): string =>
  eventLine(event, { nowMs: Date.parse(NOW), paint: (_style, text) => text });
const BASE = {
  conversationId: A,
  seq: 3,
  messageId: B,
  sender: 'alice',
  own: false,
  occurredAt: '2025-02-03T04:05:06.000Z',
  eventType: 'MessageCreated',
  late: false,
};
const NO_KEY = { readable: false, reason: 'cannot_decrypt', error: undefined, sealed: undefined } as const;

function decrypted(text: string): ReceivedMessage {
  return { ...BASE, readable: true, content: new TextEncoder().encode(text), text };
}

test('a message without a key: time, conversation, seq, message_id, sender, size', () => {
  const event = messageEvent({ ...BASE, ...NO_KEY }, 6);
  expect(line(event)).toBe(`2025-02-03T04:05:06.000Z  ${A}  #3  ${B}  alice  6 bytes`);
  expect(event).not.toHaveProperty('text');
});

test('a message with its key: the text, on one line', () => {
  const event = messageEvent(decrypted('Hello,\nBob.'), 92);
  expect(line(event)).toBe(`2025-02-03T04:05:06.000Z  ${A}  #3  ${B}  alice  Hello,\\u{a}Bob.`);
  expect(event).toMatchObject({ text: 'Hello,\nBob.', ciphertext_bytes: 92 });
});

test("an operator's row may hold nothing", () => {
  const event = messageEvent({ ...BASE, ...NO_KEY, sender: undefined, late: true }, undefined);
  expect(line(event)).toMatch(/ {2}- {2}no ciphertext {2}late$/);
});

test.each([{ sender: '\u001b[2J' }, { text: '\u001b[2J' }])('nobody steers the terminal: %j', (fields) => {
  expect(line(messageEvent({ ...decrypted('x'), ...fields }, 1))).not.toContain('\u001b');
});

test('gaps, members, resets and refusals', () => {
  const conversation_id = A;
  expect(
    [
      line({ type: 'gap', conversation_id, from: 2, to: 4, reason: 'retention' }),
      line({ type: 'member', conversation_id, change: 'added', user_id: 'bob', seq: 5 }),
      line({ type: 'reset', conversation_id }),
      line({ type: 'refused', conversation_id, code: 'conversation_not_found' }),
    ].map((text) => text.replace(`${NOW}  ${A}  `, '')),
  ).toEqual([
    'gap #2–#4 (retention)',
    'bob added, at #5',
    'reset: the place in it was void',
    'not followed any more (conversation_not_found)',
  ]);
});
