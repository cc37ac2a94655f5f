import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeStreamEntry,
  parseStreamEntry,
  STREAM_ENTRY_FIELDS,
  type StreamEntry,
} from './stream-entry.ts';

const ID = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const SECRET = 'do-not-echo-me';
const ENTRY: StreamEntry = {
  v: 1,
  epoch: 1,
  event_id: ID,
  message_id: ID,
  conversation_id: ID,
  seq: 7,
  event_type: 'MessageCreated',
  occurred_at: '2025-02-03T04:05:06.789Z',
  members_version: 3,
  replay: 0,
  resent: false,
  payload: '{"ciphertext": "AAAA"}',
};

function withField(name: string, value: string | undefined): string[] {
  const fields = new Map<string, string>();
  const flat = encodeStreamEntry(ENTRY);
  for (let i = 0; i < flat.length; i += 2) fields.set(flat[i] as string, flat[i + 1] as string);
  if (value === undefined) fields.delete(name);
  else fields.set(name, value);
  return [...fields].flat();
}

test('what is written is read', () => {
  expect(parseStreamEntry(encodeStreamEntry(ENTRY))).toEqual({ ok: true, entry: ENTRY });
  const seq = fc.maxSafeNat();
  fc.assert(
    fc.property(
      seq,
      fc.integer({ min: 1 }),
      seq,
      fc.boolean(),
      fc.json(),
      (epoch, place, replay, resent, payload) => {
        const entry = { ...ENTRY, epoch, seq: place, replay, resent, payload };
        expect(parseStreamEntry(encodeStreamEntry(entry))).toEqual({ ok: true, entry });
      },
    ),
  );
});

test('fields stand in their order', () => {
  expect(encodeStreamEntry(ENTRY).filter((_, i) => i % 2 === 0)).toEqual(STREAM_ENTRY_FIELDS);
});

describe('an entry that cannot be used', () => {
  test.each(STREAM_ENTRY_FIELDS)('lacks %s', (name) => {
    const result = parseStreamEntry(withField(name, undefined));
    expect(result).toEqual({ ok: false, field: name, detail: `${name}: the value is missing or wrong` });
  });

  test.each([
    ['v', '2'],
    ['v', '01'],
    ['epoch', ''],
    ['epoch', '-1'],
    ['event_id', SECRET],
    ['message_id', ID.toUpperCase()],
    ['conversation_id', ''],
    ['seq', '0'],
    ['seq', '07'],
    ['seq', '1.0'],
    ['seq', '9007199254740992'],
    ['event_type', ''],
    ['occurred_at', '2025-02-03T04:05:06Z'],
    ['members_version', 'x'],
    ['replay', '1e1'],
    ['resent', 'true'],
    ['payload', ''],
    ['payload', SECRET],
    ['payload', '{"a":1},"type":"reset"'],
  ])('has %s = %j', (name, value) => {
    const result = parseStreamEntry(withField(name, value));
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain(SECRET);
  });

  test('has nothing, or half a pair', () => {
    expect(parseStreamEntry([]).ok).toBe(false);
    expect(parseStreamEntry([...withField('payload', undefined), 'payload']).ok).toBe(false);
  });
});

test('other fields are ignored, whatever their name', () => {
  const flat = [...encodeStreamEntry(ENTRY), 'later', 'x', '__proto__', 'y', 'constructor', 'z'];
  expect(parseStreamEntry(flat)).toEqual({ ok: true, entry: ENTRY });
});
