import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ackFrame, cursorsFrame, helloFrame, pingFrame } from './client-frames.ts';
import { isRequestId, parseClientFrame, type ClientFrameResult } from './parse-client-frame.ts';
import { requestId } from './scalars.ts';

const A = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const B = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';
const SECRET = 'do-not-echo-me';

const parse = (frame: unknown): ClientFrameResult => parseClientFrame(JSON.stringify(frame));
const uuids = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `00000000-0000-0000-0000-${String(i).padStart(12, '0')}`);
const cursors = (count: number): unknown[] => uuids(count).map((id, seq) => [id, seq]);

function expectBad(result: ClientFrameResult): void {
  expect(result).toMatchObject({ ok: false, fatal: true, code: 'bad_frame' });
  if (!result.ok && result.fatal) expect(result.detail).not.toContain(SECRET);
}

describe('frames as the contract has them', () => {
  test.each([
    { type: 'hello', token: 't' },
    { type: 'hello', token: 't', device_id: 'd', features: ['x', 'unknown'], subscribe: 'none', credit: 1 },
    { type: 'hello', epoch: 0, cursors: [[A, 0]], more: true, without_cursor: 'start', credit: 1024 },
    { type: 'hello', epoch: 1, cursors: cursors(500) },
    { type: 'hello', epoch: 1, more: true },
    { type: 'hello', cursors: [], more: false },
    { type: 'hello', subscribe: 'none', cursors: [] },
    { type: 'cursors', cursors: [] },
    { type: 'cursors', cursors: cursors(1000), more: true },
    { type: 'subscribe', id: 'a', conversations: [{ conversation_id: A, after: 5 }, { conversation_id: B }] },
    { type: 'subscribe', id: 0, conversations: [{ conversation_id: A, after: 'start' }] },
    { type: 'subscribe', id: 'a', conversations: uuids(256).map((id) => ({ conversation_id: id })) },
    { type: 'unsubscribe', id: 'x'.repeat(64), conversations: uuids(256) },
    { type: 'ack', delivered: 0 },
    { type: 'ack', delivered: 2 ** 53 - 1 },
    { type: 'auth', token: 't' },
    { type: 'ping', id: 'p' },
    { type: 'ping', id: 9 },
  ])('takes %j', (frame) => {
    const result = parse(frame);
    expect(result).toMatchObject({ ok: true, frame });
  });

  test('fills the defaults in', () => {
    expect(parse({ type: 'hello' })).toEqual({
      ok: true,
      frame: {
        type: 'hello',
        features: [],
        subscribe: 'all',
        cursors: [],
        more: false,
        without_cursor: 'head',
        credit: 256,
      },
    });
    expect(parse({ type: 'subscribe', id: 1, conversations: [{ conversation_id: A }] })).toMatchObject({
      frame: { conversations: [{ after: 'head' }] },
    });
  });
});

describe('not a frame', () => {
  test.each([
    '',
    '{',
    'hello',
    '"hello"',
    'null',
    '1',
    '[]',
    '[{"type":"ping","id":1}]',
    '{"type":"ack"}}',
    '\0',
  ])('is fatal: %s', (text) => expectBad(parseClientFrame(text)));

  test.each([{}, { type: 1 }, { type: null }, { type: ['ping'] }, { Type: 'ping', id: 1 }])(
    'is fatal: %j',
    (frame) => {
      expectBad(parse(frame));
    },
  );
});

describe('a known field with a wrong value is fatal', () => {
  test.each([
    { type: 'hello', token: 1 },
    { type: 'hello', token: null },
    { type: 'hello', device_id: '' },
    { type: 'hello', device_id: 'd'.repeat(256) },
    { type: 'hello', device_id: 'a\nb' },
    { type: 'hello', features: 'x' },
    { type: 'hello', features: [1] },
    { type: 'hello', features: Array.from({ length: 33 }, () => 'x') },
    { type: 'hello', features: ['x'.repeat(65)] },
    { type: 'hello', subscribe: 'some' },
    { type: 'hello', epoch: '1', cursors: [[A, 1]] },
    { type: 'hello', epoch: -1 },
    { type: 'hello', cursors: [[A, 1]] },
    { type: 'hello', more: true },
    { type: 'hello', epoch: 1, subscribe: 'none', cursors: [[A, 1]] },
    { type: 'hello', epoch: 1, subscribe: 'none', more: true },
    { type: 'hello', epoch: 1, cursors: cursors(501) },
    { type: 'hello', epoch: 1, cursors: [[A, 1, 2]] },
    { type: 'hello', epoch: 1, cursors: [[A]] },
    { type: 'hello', epoch: 1, cursors: [[A.toUpperCase(), 1]] },
    { type: 'hello', epoch: 1, cursors: [[SECRET, 1]] },
    { type: 'hello', epoch: 1, cursors: [[A, -1]] },
    { type: 'hello', epoch: 1, cursors: [[A, 1.5]] },
    { type: 'hello', epoch: 1, cursors: [[A, 2 ** 53]] },
    { type: 'hello', epoch: 1, cursors: { [A]: 1 } },
    {
      type: 'hello',
      epoch: 1,
      cursors: [
        [A, 1],
        [A, 2],
      ],
    },
    { type: 'hello', more: 1 },
    { type: 'hello', without_cursor: 'end' },
    { type: 'hello', credit: 0 },
    { type: 'hello', credit: 1025 },
    { type: 'hello', credit: '256' },
    { type: 'cursors' },
    { type: 'cursors', cursors: cursors(1001) },
    {
      type: 'cursors',
      cursors: [
        [B, 1],
        [B, 1],
      ],
    },
    { type: 'subscribe', conversations: [{ conversation_id: A }] },
    { type: 'subscribe', id: '', conversations: [] },
    { type: 'subscribe', id: 'x'.repeat(65), conversations: [] },
    { type: 'subscribe', id: 1 },
    { type: 'subscribe', id: 1, conversations: [A] },
    { type: 'subscribe', id: 1, conversations: [{}] },
    { type: 'subscribe', id: 1, conversations: [null] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: A, after: SECRET }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: A, after: -1 }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: A }, { conversation_id: A, after: 1 }] },
    { type: 'subscribe', id: 1, conversations: uuids(257).map((id) => ({ conversation_id: id })) },
    { type: 'unsubscribe', id: 1, conversations: [{ conversation_id: A }] },
    { type: 'unsubscribe', id: 1, conversations: [A, A] },
    { type: 'unsubscribe', id: 1, conversations: uuids(257) },
    { type: 'ack' },
    { type: 'ack', delivered: -1 },
    { type: 'ack', delivered: '1' },
    { type: 'ack', delivered: 1.5 },
    { type: 'ack', delivered: 2 ** 53 },
    { type: 'auth' },
    { type: 'auth', token: 5 },
    { type: 'ping' },
    { type: 'ping', id: null },
    { type: 'ping', id: [SECRET] },
    { type: 'ping', id: -1 },
  ])('%j', (frame) => expectBad(parse(frame)));
});

describe('what is not known', () => {
  test.each([
    'hello2',
    'typing',
    'ready',
    'message',
    'Ping',
    '',
    '__proto__',
    'constructor',
    'toString',
    SECRET,
  ])('a type %j is answered, and does not close', (type) => {
    expect(parse({ type, id: 'r1' })).toEqual({ ok: false, fatal: false, code: 'unknown_type', id: 'r1' });
    expect(parse({ type })).toEqual({ ok: false, fatal: false, code: 'unknown_type' });
  });

  test('an id that is none is not given back', () => {
    for (const id of ['x'.repeat(65), '', -1, 1.5, null, { a: 1 }]) {
      expect(parse({ type: 'later', id })).toEqual({ ok: false, fatal: false, code: 'unknown_type' });
    }
  });

  test.each([
    { type: 'cursors', cursors: [], extra: 1 },
    { type: 'subscribe', id: 7, conversations: [], extra: 1 },
    { type: 'subscribe', id: 7, conversations: [{ conversation_id: A, extra: 1 }] },
    { type: 'unsubscribe', id: 7, conversations: [A], [SECRET]: 1 },
    { type: 'auth', token: 't', extra: null },
    { type: 'ping', id: 7, extra: 1 },
  ])('a field is answered, and does not close: %j', (frame) => {
    const id = 'id' in frame ? { id: 7 } : {};
    expect(parse(frame)).toEqual({ ok: false, fatal: false, code: 'unknown_field', ...id });
  });

  test('in hello and ack it is ignored', () => {
    expect(parse({ type: 'ack', delivered: 3, extra: { deep: [] } })).toEqual({
      ok: true,
      frame: { type: 'ack', delivered: 3 },
    });
    const hello = parse({ type: 'hello', token: 't', extra: 1 });
    expect(hello.ok).toBe(true);
    if (hello.ok) expect(hello.frame).not.toHaveProperty('extra');
  });

  test('an unknown field comes before a wrong value, so that a newer client is not locked out', () => {
    expect(parse({ type: 'subscribe', id: 7, conversations: 'all', mode: 'x' })).toMatchObject({
      code: 'unknown_field',
    });
    expect(
      parse({ type: 'subscribe', id: 7, conversations: [{ conversation_id: A, after: 'x', y: 1 }] }),
    ).toMatchObject({ code: 'unknown_field' });
  });
});

describe('hostile text', () => {
  test('a field named __proto__ is a field like any other, and reaches no prototype', () => {
    expect(parseClientFrame('{"__proto__":{"type":"ack","delivered":1}}')).toMatchObject({ fatal: true });
    expect(parseClientFrame('{"type":"ping","id":1,"__proto__":{"x":1}}')).toMatchObject({
      code: 'unknown_field',
    });
    const item = `{"conversation_id":"${A}","__proto__":{"after":1}}`;
    expect(parseClientFrame(`{"type":"subscribe","id":1,"conversations":[${item}]}`)).toMatchObject({
      code: 'unknown_field',
    });
    const hello = parseClientFrame('{"type":"hello","__proto__":{"token":"x"},"constructor":1}');
    expect(hello).toMatchObject({ ok: true });
    if (hello.ok) expect((hello.frame as { token?: string }).token).toBeUndefined();
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test('nesting as deep as a frame allows does not throw', () => {
    const deep = `${'['.repeat(32_000)}${']'.repeat(32_000)}`;
    expectBad(parseClientFrame(deep));
    expectBad(parseClientFrame(`{"type":"cursors","cursors":${deep}}`));
    expect(parseClientFrame(`{"type":"hello","later":${deep}}`).ok).toBe(true);
    expectBad(parseClientFrame('['.repeat(65_536)));
    expectBad(parseClientFrame('{"a":'.repeat(13_000)));
  });

  test('a list is refused by its length, before its elements are looked at', () => {
    const many = JSON.stringify(Array.from({ length: 20_000 }, () => 0));
    for (const frame of [
      `{"type":"hello","epoch":1,"cursors":${many}}`,
      `{"type":"hello","features":${many}}`,
      `{"type":"cursors","cursors":${many}}`,
      `{"type":"subscribe","id":1,"conversations":${many}}`,
      `{"type":"unsubscribe","id":1,"conversations":${many}}`,
    ]) {
      expect(parseClientFrame(frame)).toMatchObject({
        fatal: true,
        detail: expect.stringContaining('more than'),
      });
    }
  });

  test('of a repeated key the last counts', () => {
    expect(parseClientFrame('{"type":"ping","type":"ack","delivered":1,"delivered":2}')).toEqual({
      ok: true,
      frame: { type: 'ack', delivered: 2 },
    });
  });

  test('numbers that JSON allows and integers are not', () => {
    for (const delivered of ['1e400', '-1', '1.5', '9007199254740993', '1E3000']) {
      expectBad(parseClientFrame(`{"type":"ack","delivered":${delivered}}`));
    }
    expect(parseClientFrame('{"type":"ack","delivered":1e3}')).toMatchObject({ frame: { delivered: 1000 } });
  });

  test('no text makes it throw, and no detail holds what was sent', () => {
    const names = fc.constantFrom(
      'type',
      'id',
      'token',
      'cursors',
      'conversations',
      'delivered',
      '__proto__',
      SECRET,
    );
    const types = fc.constantFrom(
      'hello',
      'cursors',
      'subscribe',
      'unsubscribe',
      'ack',
      'auth',
      'ping',
      SECRET,
    );
    const values = fc.oneof(
      types,
      fc.jsonValue(),
      fc.constant([[SECRET, SECRET]]),
      fc.constant([{ [SECRET]: 1 }]),
    );
    const entries = fc.array(fc.tuple(names, values), { maxLength: 6 });
    fc.assert(
      fc.property(types, entries, fc.string(), (type, fields, junk) => {
        const text = [['type', type] as const, ...fields]
          .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
          .join();
        for (const result of [parseClientFrame(`{${text}}`), parseClientFrame(junk)]) {
          expect(JSON.stringify({ ...result, frame: undefined, id: undefined })).not.toContain(SECRET);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the short ways say what the schemas say', () => {
  const anything = fc.oneof(
    fc.maxSafeInteger(),
    fc.double(),
    fc.string({ maxLength: 70 }),
    fc.constantFrom(0, -0, 2 ** 53 - 1, 2 ** 53, '', null, true, [], {}),
  );
  const extra = fc.option(fc.dictionary(fc.constantFrom('x', 'y', 'constructor'), anything), {
    nil: undefined,
  });

  test('ack', () => {
    fc.assert(
      fc.property(anything, extra, (delivered, more) => {
        const frame = JSON.parse(JSON.stringify({ ...more, type: 'ack', delivered }));
        const expected = ackFrame.safeParse(frame);
        const result = parse(frame);
        expect(result.ok).toBe(expected.success);
        if (result.ok) expect(result.frame).toEqual(expected.data);
      }),
      { numRuns: 1000 },
    );
  });

  test('ping', () => {
    fc.assert(
      fc.property(anything, extra, (id, more) => {
        const frame = JSON.parse(JSON.stringify({ ...more, type: 'ping', id }));
        const expected = pingFrame.safeParse(frame);
        const result = parse(frame);
        expect(result.ok).toBe(expected.success);
        if (result.ok) expect(result.frame).toEqual(expected.data);
        const isUnknown = expected.error?.issues.some((issue) => issue.code === 'unrecognized_keys') ?? false;
        if (!result.ok) expect(result.fatal).toBe(!isUnknown);
      }),
      { numRuns: 1000 },
    );
  });

  test('cursors', () => {
    const entry = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...uuids(12)), fc.nat()) },
      fc.tuple(fc.constantFrom(A.toUpperCase(), `${A} `, 7), fc.nat()),
      fc.tuple(fc.constant(A), anything),
      fc.tuple(fc.constant(A), fc.nat(), anything),
      anything,
    );
    const list = fc.oneof(fc.array(entry, { maxLength: 5 }), anything);
    const rest = fc.record(
      { epoch: fc.nat(), more: fc.boolean(), subscribe: fc.constantFrom('all', 'none') },
      { requiredKeys: [] },
    );
    const met = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(list, rest, fc.constantFrom('hello', 'cursors'), (given, others, type) => {
        const more = type === 'hello' ? others : { more: others.more };
        const frame = JSON.parse(JSON.stringify({ ...more, type, cursors: given }));
        const expected = (type === 'hello' ? helloFrame : cursorsFrame).safeParse(frame);
        const result = parse(frame);
        expect(result.ok).toBe(expected.success);
        if (result.ok) expect(result.frame).toEqual(expected.data);
        met[result.ok ? 'taken' : 'refused'] += 1;
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(met.taken, met.refused)).toBeGreaterThan(200);
  });

  test('request ids', () => {
    fc.assert(
      fc.property(anything, (id) => {
        expect(isRequestId(id)).toBe(requestId.safeParse(id).success);
      }),
      { numRuns: 1000 },
    );
  });
});
