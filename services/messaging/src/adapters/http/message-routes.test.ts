import { randomUUID } from 'node:crypto';
import { TIME_PATTERN } from '@sanctum/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bounds } from '../../bounds.ts';
import { bucketOf } from '../../bucket.ts';
import { Fault } from '../../errors.ts';
import type { HttpClient } from '../../tests/support/http-client.ts';
import { type HttpFixture, startHttpFixture } from '../../tests/support/http-fixture.ts';
import { mintToken } from '../../tests/support/tokens.ts';

let http: HttpFixture;
let alice: HttpClient;
let bob: HttpClient;
let mallory: HttpClient;
let conversationId: string;

beforeAll(async () => {
  http = await startHttpFixture();
  [alice, bob, mallory] = await Promise.all([http.as('alice'), http.as('bob'), http.as('mallory')]);
});
afterAll(() => http.close());
beforeEach(async () => {
  conversationId = (await alice.createConversation(['bob'])).body.conversation_id;
});
afterEach(() => {
  http.fault = undefined;
  http.beforePageRead = undefined;
  http.afterPageRead = undefined;
});

const path = () => `/v1/conversations/${conversationId}/messages`;
const body = (fields: object = {}) => ({ message_id: randomUUID(), ciphertext: 'c2VhbGVk', ...fields });

describe('POST a message', () => {
  it('201: it is committed, with its seq', async () => {
    const messageId = randomUUID();
    const answer = await alice.postMessage(conversationId, {
      messageId,
      encryption: { scheme: 'aes-256-gcm', key_id: 'k1' },
    });
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers).not.toHaveProperty('idempotent-replay');
    expect(answer.body).toEqual({
      message_id: messageId,
      conversation_id: conversationId,
      seq: 1,
      epoch: 1,
      occurred_at: expect.stringMatching(TIME_PATTERN) as unknown,
    });
    const { payload } = http.log.row(conversationId, 1)!;
    expect(JSON.parse(payload.reveal())).toMatchObject({
      sender: 'alice',
      encryption: { scheme: 'aes-256-gcm', key_id: 'k1' },
    });
  });

  it('200 for the same message again: the first answer', async () => {
    const message = body();
    const first = await alice.request('POST', path(), { body: message });
    await alice.postMessage(conversationId);
    const again = await alice.request('POST', path(), { body: message });
    expect(again.status).toBe(200);
    expect(again.headers['idempotent-replay']).toBe('true');
    expect(again.text).toBe(first.text);
  });

  it('200 for the same message again from one who has left since', async () => {
    const message = body();
    const first = await bob.request('POST', path(), { body: message });
    await alice.deleteMember(conversationId, 'bob');
    expect(await bob.request('POST', path(), { body: message })).toMatchObject({
      status: 200,
      text: first.text,
    });
  });

  it('409 for another message under the same id, to members only', async () => {
    const message = body();
    await alice.request('POST', path(), { body: message });
    for (const change of [{ ciphertext: 'b3RoZXI=' }, { encryption: { scheme: 'other' } }]) {
      const answer = await alice.request('POST', path(), { body: { ...message, ...change } });
      expect([answer.status, answer.problem?.code]).toEqual([409, 'message_id_reused']);
    }
    expect((await bob.request('POST', path(), { body: message })).problem?.code).toBe('message_id_reused');
    expect((await mallory.request('POST', path(), { body: message })).problem?.code).toBe(
      'conversation_not_found',
    );
  });

  it('404 for a conversation that is not, and one that is not the sender’s: the same, byte by byte', async () => {
    const forbidden = await mallory.postMessage(conversationId);
    const unknown = await mallory.postMessage(randomUUID());
    expect(forbidden.problem).toMatchObject({ status: 404, code: 'conversation_not_found' });
    expect(forbidden.text).toBe(unknown.text);
    const named = ({ date: _date, ...headers }: object & { date?: string | undefined }) => headers;
    expect(named(forbidden.headers)).toEqual(named(unknown.headers));
  });

  it.each([
    ['no id', { message_id: undefined }, 'invalid_body'],
    ['an id that is a number', { message_id: 7 }, 'invalid_body'],
    ['an id that is no UUID', { message_id: 'x' }, 'invalid_uuid'],
    ['an id in capitals', { message_id: '9B2C7F64-2D36-4C0A-8F43-6F1F0F6F8C21' }, 'invalid_uuid'],
    ['no ciphertext', { ciphertext: undefined }, 'invalid_body'],
    ['an empty ciphertext', { ciphertext: '' }, 'invalid_ciphertext'],
    ['a ciphertext that is no base64', { ciphertext: '!!!!' }, 'invalid_ciphertext'],
    ['a ciphertext without padding', { ciphertext: 'AA' }, 'invalid_ciphertext'],
    ['a ciphertext with bits left over', { ciphertext: 'AB==' }, 'invalid_ciphertext'],
    ['a ciphertext with white space', { ciphertext: 'AAAA\nAAAA' }, 'invalid_ciphertext'],
    ['a ciphertext of the URL alphabet', { ciphertext: '_-_-' }, 'invalid_ciphertext'],
    ['an unknown field', { plaintext: 'hello' }, 'unknown_field'],
    ['an unknown field of encryption', { encryption: { scheme: 'x', key: 'k' } }, 'unknown_field'],
    ['the reserved field', { mls: {} }, 'unknown_field'],
    ['no scheme', { encryption: {} }, 'invalid_body'],
    ['a wrong scheme', { encryption: { scheme: 'AES 256' } }, 'invalid_body'],
    ['a wrong key id', { encryption: { scheme: 'x', key_id: '' } }, 'invalid_body'],
    ['encryption that is null', { encryption: null }, 'invalid_body'],
  ])('400 for %s', async (_, fields, code) => {
    const answer = await alice.request('POST', path(), { body: body(fields) });
    expect([answer.status, answer.problem?.code]).toEqual([400, code]);
  });

  it.each([
    ['nothing', '', 'invalid_json'],
    ['half an object', '{"message_id":', 'invalid_json'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid_json'],
    ['a byte order mark', '\ufeff{}', 'invalid_json'],
    ['null', 'null', 'invalid_body'],
    ['a list', '[]', 'invalid_body'],
    ['a text', '"x"', 'invalid_body'],
    ['a key that is the prototype', '{"__proto__":{"message_id":"x"}}', 'unknown_field'],
  ])('400 for a body of %s', async (_, rawBody, code) => {
    const answer = await alice.request('POST', path(), { rawBody });
    expect([answer.status, answer.problem?.code]).toEqual([400, code]);
  });

  it('echoes nothing that was sent', async () => {
    const marker = 'bWFya2VyIQ';
    for (const fields of [
      { ciphertext: marker },
      { [marker]: 1 },
      { message_id: marker },
      { encryption: { scheme: marker } },
    ]) {
      const answer = await alice.request('POST', path(), { body: body(fields) });
      expect(answer.status).toBe(400);
      expect(answer.text).not.toContain(marker);
    }
    expect((await alice.request('POST', path(), { rawBody: `{"${marker}` })).text).not.toContain(marker);
  });

  it('413 for a ciphertext above the bound, and takes one at it', async () => {
    const atBound = await alice.postMessage(conversationId, {
      ciphertext: Buffer.alloc(1024).toString('base64'),
    });
    expect(atBound.status).toBe(201);
    for (const bytes of [1025, 1026, 1027, 100_000]) {
      const answer = await alice.postMessage(conversationId, {
        ciphertext: Buffer.alloc(bytes).toString('base64'),
      });
      expect([answer.status, answer.problem?.code]).toEqual([413, 'payload_too_large']);
    }
  });

  it('takes base64 whose slashes are escaped', async () => {
    const ciphertext = Buffer.alloc(1024, 0xff).toString('base64');
    const slashes = `{"message_id":"${randomUUID()}","ciphertext":"${'\\/'.repeat(20)}${ciphertext.slice(20)}"}`;
    expect((await alice.request('POST', path(), { rawBody: slashes })).status).toBe(201);
  });

  it.each([
    ['another type', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['another charset', { 'content-type': 'application/json; charset=latin1' }],
    ['a compressed body', { 'content-encoding': 'gzip' }],
    ['an encoding that changes nothing', { 'content-encoding': 'identity' }],
  ])('415 for %s', async (_, headers) => {
    const answer = await alice.request('POST', path(), { body: body(), headers });
    expect([answer.status, answer.problem?.code]).toEqual([415, 'unsupported_media_type']);
  });

  it('takes JSON that names its charset', async () => {
    const headers = { 'content-type': 'application/json; charset=UTF-8' };
    expect((await alice.request('POST', path(), { body: body(), headers })).status).toBe(201);
  });

  it('415 for a body of no type', async () => {
    const headers = { authorization: `Bearer ${await mintToken({ sub: 'alice' })}` };
    const bytes = new TextEncoder().encode('{}');
    expect((await fetch(http.url + path(), { method: 'POST', body: bytes, headers })).status).toBe(415);
    expect((await fetch(http.url + path(), { method: 'POST', headers })).status).toBe(415);
  });

  it.each([
    ['no UUID', '/v1/conversations/nonsense/messages'],
    ['a UUID in capitals', `/v1/conversations/${randomUUID().toUpperCase()}/messages`],
  ])('400 for an address with %s', async (_, address) => {
    const answer = await alice.request('POST', address, { body: body() });
    expect([answer.status, answer.problem?.code]).toEqual([400, 'invalid_uuid']);
  });

  it('503 while the log is away, with a hint', async () => {
    http.fault = new Fault('unavailable', 'by the test');
    const answer = await alice.postMessage(conversationId);
    expect([answer.status, answer.problem?.code]).toEqual([503, 'unavailable']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(answer.problem?.retry_after_ms).toBeGreaterThan(0);
  });

  it('500 for what can never be stored, without a word about it', async () => {
    http.fault = new Fault('bad_row', 'secret detail');
    const answer = await alice.postMessage(conversationId);
    expect([answer.status, answer.problem?.code]).toEqual([500, 'internal']);
    expect(answer.text).not.toContain('secret detail');
  });
});

describe('GET messages', () => {
  const post = (count: number) =>
    Array.from({ length: count }).reduce<Promise<unknown>>(
      (before) => before.then(() => alice.postMessage(conversationId)),
      Promise.resolve(),
    );

  it('200: ascending, as frames', async () => {
    await alice.postMessage(conversationId, { ciphertext: 'c2VhbGVk', encryption: { scheme: 'x' } });
    await post(2);
    const { status, body: page } = await bob.history(conversationId);
    expect(status).toBe(200);
    expect(page).toMatchObject({ epoch: 1, gaps: [], head: 3, min: 1, next_after: 3 });
    expect(page.messages.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(page.messages[0]).toEqual({
      type: 'message',
      conversation_id: conversationId,
      seq: 1,
      message_id: expect.any(String) as string,
      event_type: 'MessageCreated',
      occurred_at: expect.stringMatching(TIME_PATTERN) as unknown,
      members_version: 1,
      payload: { ciphertext: 'c2VhbGVk', encryption: { scheme: 'x' }, sender: 'alice' },
    });
  });

  it('goes on behind a page', async () => {
    await post(5);
    const first = (await bob.history(conversationId, { limit: 2 })).body;
    expect([first.messages.map(({ seq }) => seq), first.next_after, first.head]).toEqual([[1, 2], 2, 5]);
    const second = (await bob.history(conversationId, { after: first.next_after, limit: 3 })).body;
    expect([second.messages.map(({ seq }) => seq), second.next_after]).toEqual([[3, 4, 5], 5]);
    const third = (await bob.history(conversationId, { after: 5 })).body;
    expect([third.messages, third.next_after]).toEqual([[], 5]);
  });

  it('announces what is dead, expired, or of another’s time', async () => {
    await post(6);
    http.log.markDead(conversationId, 5);
    http.log.expireUpTo(conversationId, 3);
    const { body: page } = await bob.history(conversationId);
    expect(page.gaps).toEqual([
      { from: 1, to: 3, reason: 'retention' },
      { from: 5, to: 5, reason: 'dead_letter' },
    ]);
    expect([page.messages.map(({ seq }) => seq), page.min]).toEqual([[4, 6], 4]);
    await alice.putMember(conversationId, 'carol');
    await post(1);
    const carols = (await (await http.as('carol')).history(conversationId)).body;
    expect(carols).toMatchObject({ gaps: [{ from: 1, to: 6, reason: 'not_member' }], min: 7, next_after: 7 });
  });

  it('shows what was requeued below the floor', async () => {
    await post(4);
    http.log.markDead(conversationId, 2);
    http.log.expireUpTo(conversationId, 3);
    http.log.requeueDead(conversationId);
    const first = (await bob.history(conversationId)).body;
    expect(first.messages).toMatchObject([{ seq: 2, replay: 1 }]);
    expect(first.gaps).toEqual([
      { from: 1, to: 1, reason: 'retention' },
      { from: 3, to: 3, reason: 'retention' },
    ]);
    expect([first.next_after, first.head, first.min]).toEqual([3, 4, 4]);
    expect((await bob.history(conversationId, { after: 3 })).body).toMatchObject({
      messages: [{ seq: 4 }],
      next_after: 4,
    });
  });

  it('waits at a row that is being retried', async () => {
    await post(3);
    const bucket = bucketOf(conversationId);
    await http.log.dispatch.dispatchBuckets([bucket], { limit: 100 }, (rows) =>
      Promise.resolve(
        rows.map(({ message }) =>
          message?.conversationId === conversationId && message.seq === 2
            ? { kind: 'failed', error: 'by_the_test', parkMs: 1 }
            : { kind: 'sent' },
        ),
      ),
    );
    expect((await bob.history(conversationId)).body).toMatchObject({
      messages: [{ seq: 1 }],
      next_after: 1,
      head: 3,
    });
    expect((await bob.history(conversationId, { after: 1 })).body).toMatchObject({
      messages: [],
      gaps: [],
      next_after: 1,
      head: 3,
    });
  });

  it('reads once more before it calls a row missing, and counts it', async () => {
    await post(3);
    http.log.loseRow(conversationId, 2);
    let reads = 0;
    http.afterPageRead = () => Promise.resolve(reads++);
    const { body: page } = await bob.history(conversationId);
    expect([page.gaps, reads]).toEqual([[{ from: 2, to: 2, reason: 'missing' }], 2]);
    expect((await http.metrics.hubMissing.get()).values[0]!.value).toBe(1);
  });

  it('calls nothing missing that the second look finds', async () => {
    await post(3);
    const whole = http.log.snapshot();
    http.log.loseRow(conversationId, 2);
    http.afterPageRead = () => Promise.resolve(http.log.restore(whole));
    expect((await bob.history(conversationId)).body).toMatchObject({ gaps: [], next_after: 3 });
  });

  it('404 for one who is removed while the rows are read', async () => {
    await post(1);
    http.beforePageRead = () => alice.deleteMember(conversationId, 'bob');
    expect((await bob.history(conversationId)).problem?.code).toBe('conversation_not_found');
  });

  it('hides what is another time’s now, from one who left and came back while the rows were read', async () => {
    await post(2);
    http.beforePageRead = async () => {
      http.beforePageRead = undefined;
      await alice.deleteMember(conversationId, 'bob');
      await alice.putMember(conversationId, 'bob');
    };
    expect((await bob.history(conversationId)).body).toMatchObject({
      messages: [],
      gaps: [{ from: 1, to: 2, reason: 'not_member' }],
      min: 3,
    });
  });

  it('404 to strangers, the same as for what is not; 200 to an operator', async () => {
    await post(1);
    const forbidden = await mallory.history(conversationId);
    const unknown = await mallory.history(randomUUID());
    expect([forbidden.status, forbidden.problem?.code]).toEqual([404, 'conversation_not_found']);
    expect(forbidden.text).toBe(unknown.text);
    const operator = await http.as('ops', { scope: 'messaging:operate' });
    expect((await operator.history(conversationId)).body).toMatchObject({ messages: [{ seq: 1 }], min: 1 });
    expect((await operator.history(randomUUID())).problem?.code).toBe('conversation_not_found');
    const manager = await http.as('service', { scope: 'messaging:manage' });
    expect((await manager.history(conversationId)).problem?.code).toBe('conversation_not_found');
  });

  it('409 for a cursor ahead of the conversation', async () => {
    expect((await alice.history(conversationId, { after: 1 })).problem).toMatchObject({
      status: 409,
      code: 'cursor_ahead',
    });
  });

  it.each([
    ['after=-1'],
    ['after=01'],
    ['after=1e3'],
    ['after=1.5'],
    ['after=9007199254740992'],
    ['after='],
    ['after=1&after=2'],
    ['limit=0'],
    ['limit=501'],
    ['limit=x'],
  ])('400 for %s', async (query) => {
    expect((await alice.request('GET', `${path()}?${query}`)).problem).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
    });
  });

  it('503 above the number of calls that a user may have under way, and when the log is away', async () => {
    let release: (() => void) | undefined;
    let reads = 0;
    const held = new Promise<void>((resolve) => (release = resolve));
    const full = new Promise<void>((resolve) => {
      http.afterPageRead = () => {
        if (++reads === bounds.http.userCallsInFlightMax) resolve();
        return held;
      };
    });
    const waiting = Array.from({ length: bounds.http.userCallsInFlightMax }, () =>
      bob.history(conversationId),
    );
    await full;
    const refused = await bob.history(conversationId);
    expect(refused.problem).toMatchObject({ status: 503, code: 'overloaded', retry_after_ms: 1000 });
    expect(refused.headers['retry-after']).toBe('1');
    release!();
    expect((await Promise.all(waiting)).every(({ status }) => status === 200)).toBe(true);
    http.fault = new Fault('unavailable', 'by the test');
    expect((await bob.history(conversationId)).problem).toMatchObject({ status: 503, code: 'unavailable' });
  });
});
