import { encodeStreamEntry, parseStreamEntry, STREAM_ENTRY_FIELDS } from '@sanctum/protocol/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTime } from '@sanctum/protocol';
import { Sealed } from '../../sealed.ts';
import { streamMessage } from '../../tests/support/stream-messages.ts';
import { decodeStreamEntry, pushStreamEntry, STREAM_ENTRY_WIDTH } from './stream-entry.ts';

const PLACE = { stream: 'sanctum:messages', entryId: '1-0', deliveries: 1 };
const LIMIT_BYTES = 1_000;

const decode = (flat: readonly string[]) => decodeStreamEntry(PLACE, flat, LIMIT_BYTES);
const encode = (...message: Parameters<typeof streamMessage>): string[] => {
  const flat: string[] = [];
  pushStreamEntry(flat, streamMessage(...message));
  return flat;
};
const changed = (flat: readonly string[], name: string, value: string): string[] => {
  const next = [...flat];
  next[next.indexOf(name) + 1] = value;
  return next;
};

const seqs = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.maxSafeNat());
const messages = fc.record({
  epoch: seqs,
  resent: fc.boolean(),
  conversationId: fc.uuid(),
  messageId: fc.uuid(),
  eventId: fc.uuid(),
  seq: seqs.map((seq) => Math.max(1, seq)),
  eventType: fc.oneof(
    fc.constant('MessageCreated'),
    fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text)),
  ),
  occurredAt: fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }).map(Number),
  membersVersion: seqs,
  replayNo: seqs,
  payload: fc.json().map((json) => new Sealed(json)),
});

/** Values that stand near the edge of what each field takes. */
const odd = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '1',
    '01',
    '-1',
    '1.0',
    '1e3',
    ' 1',
    '9007199254740991',
    '9007199254740992',
    '10000000000000000',
  ),
  fc.constantFrom(
    '2025-02-30T00:00:00.000Z',
    '2024-02-29T23:59:59.999Z',
    '2025-01-01T00:00:00Z',
    '2025-01-01T24:00:00.000Z',
    '2016-12-31T23:59:60.000Z',
  ),
  fc.constantFrom('{', '{"a":1}', 'null', 'NaN', '"\u0000"', '[]', 'undefined', '\u0000', '\ud800'),
  fc.uuid(),
  fc.uuid().map((id) => id.toUpperCase()),
  fc.string(),
);
/** Entries with up to three things wrong with them, or oddly right. */
const entries = fc
  .tuple(
    messages,
    fc.array(
      fc.tuple(
        fc.constantFrom('set', 'repeat', 'drop', 'unknown'),
        fc.constantFrom(...STREAM_ENTRY_FIELDS),
        odd,
      ),
      { maxLength: 3 },
    ),
  )
  .map(([message, changes]) => {
    let flat = encode(message);
    for (const [how, name, value] of changes) {
      const place = flat.indexOf(name);
      if (how === 'unknown') flat = [value, value, ...flat];
      else if (how === 'repeat') flat = [...flat, name, value];
      else if (place < 0) continue;
      else if (how === 'set') flat[place + 1] = value;
      else flat.splice(place, 2);
    }
    return flat;
  });

describe('pushStreamEntry', () => {
  it('writes what the schema of the protocol writes', () => {
    fc.assert(
      fc.property(messages, ({ epoch, resent, ...message }) => {
        const flat = encode({ epoch, resent, ...message });
        expect(flat).toEqual(
          encodeStreamEntry({
            epoch,
            resent,
            event_id: message.eventId,
            message_id: message.messageId,
            conversation_id: message.conversationId,
            seq: message.seq,
            event_type: message.eventType,
            occurred_at: formatTime(message.occurredAt),
            members_version: message.membersVersion,
            replay: message.replayNo,
            payload: message.payload.reveal(),
          }),
        );
        expect(flat).toHaveLength(STREAM_ENTRY_WIDTH);
      }),
    );
  });
});

describe('decodeStreamEntry', () => {
  it('takes and refuses what the schema of the protocol does', () => {
    let taken = 0;
    let refused = 0;
    const property = fc.property(entries, (flat) => {
      const expected = parseStreamEntry(flat);
      const { content } = decodeStreamEntry(PLACE, flat, Number.MAX_SAFE_INTEGER);
      if (expected.ok) taken++;
      else refused++;
      expect(content !== undefined).toBe(expected.ok);
      if (!expected.ok || content === undefined) return;
      const { message } = content;
      expect({
        v: 1,
        epoch: content.epoch,
        resent: content.resent,
        event_id: message.eventId,
        message_id: message.messageId,
        conversation_id: message.conversationId,
        seq: message.seq,
        event_type: message.eventType,
        occurred_at: formatTime(message.occurredAt),
        members_version: message.membersVersion,
        replay: message.replayNo,
        payload: message.payload.reveal(),
      }).toEqual(expected.entry);
    });
    fc.assert(property, { numRuns: 3_000 });
    // Neither side is empty, or the property says nothing.
    expect(Math.min(taken, refused)).toBeGreaterThan(100);
  });

  it.each([
    ['v', '2', 'bad_v'],
    ['epoch', 'x', 'bad_epoch'],
    ['event_id', 'x', 'bad_event_id'],
    ['message_id', 'x', 'bad_message_id'],
    ['conversation_id', 'x', 'bad_conversation_id'],
    ['seq', '0', 'bad_seq'],
    ['event_type', '', 'bad_event_type'],
    ['occurred_at', '2025-02-30T00:00:00.000Z', 'bad_occurred_at'],
    ['members_version', '-1', 'bad_members_version'],
    ['replay', '', 'bad_replay'],
    ['resent', '2', 'bad_resent'],
    ['payload', '{"ciphertext":', 'bad_payload'],
  ])('names a wrong %s', (name, value, reason) => {
    expect(decode(changed(encode(), name, value))).toMatchObject({ content: undefined, reason });
  });

  it('measures a payload in bytes', () => {
    const quoted = (text: string) => decode(changed(encode(), 'payload', `"${text}"`)).reason;
    expect(quoted('a'.repeat(LIMIT_BYTES - 2))).toBeUndefined();
    expect(quoted('a'.repeat(LIMIT_BYTES - 1))).toBe('payload_too_large');
    expect(quoted('€'.repeat(333))).toBe('payload_too_large');
    expect(quoted('€'.repeat(332))).toBeUndefined();
  });

  it('gives the dead-letter table what the entry says, sealed', () => {
    const flat = changed(encode({ eventId: '0b8a3c52-1d2f-4e0e-9f0a-3f6f0c1d2e3f' }), 'seq', 'x');
    const entry = decode([...flat, 'odd']);
    expect(entry).toMatchObject({ reason: 'bad_seq', eventId: '0b8a3c52-1d2f-4e0e-9f0a-3f6f0c1d2e3f' });
    expect(JSON.stringify(entry)).not.toContain('c2VjcmV0');
    expect(entry.fields.reveal()).toContain('c2VjcmV0');
    expect(decode(['foo', 'bar'])).toMatchObject({
      reason: 'bad_v',
      eventId: undefined,
      conversationId: undefined,
      occurredAt: undefined,
    });
  });

  it('is not led astray by names of the prototype', () => {
    expect(decode(['__proto__', 'x', 'constructor', 'y', ...encode()]).reason).toBeUndefined();
  });
});
