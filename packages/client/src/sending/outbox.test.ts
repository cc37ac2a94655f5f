import { describe, expect, test } from 'vitest';
import type { OutgoingMessage } from '../receiving/events.ts';
import { connect } from '../connect.ts';
import { mirrorCipher } from '../tests/mirror-cipher.ts';
import { A, B, device, message, seated } from '../tests/device.ts';
import { ManualClock, settle } from '../tests/manual-clock.ts';
import { ok, refused, type HttpCall } from '../tests/scripted-http.ts';
import { OUTBOX_AGE_MAX_MS } from './outbox.ts';

const accepted = (seq: number): Response => ok({ seq }, 201);
/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers(): { promise: Promise<Response>; resolve: (response: Response) => void } {
  let resolve: (response: Response) => void = () => undefined;
  const promise = new Promise<Response>((done) => (resolve = done));
  return { promise, resolve };
}
const conversationOf = ({ path }: HttpCall): string => path.split('/')[3] ?? '';

test('a message is stored as ciphertext before it is sent, and settles to its seq', async () => {
  const { client, http, storage } = await device({ listens: false });
  const states: OutgoingMessage['state'][] = [];
  client.on('outgoing', ({ state }) => void states.push(state));
  let stored: unknown;
  http.answer = async () => {
    stored = await storage.entries('sanctum/outbox/');
    return accepted(7);
  };
  const { settled, messageId } = await client.send(A, 'Hello');
  expect(client.outbox).toMatchObject([{ messageId, conversationId: A, state: { kind: 'queued' } }]);
  expect(await settled).toEqual({ kind: 'sent', seq: 7 });
  expect(stored).toMatchObject([['sanctum/outbox/0000000000000001', { messageId, scheme: 'mirror' }]]);
  expect(JSON.stringify(stored)).not.toContain('Hello');
  expect(states).toEqual([{ kind: 'queued' }, { kind: 'sent', seq: 7 }]);
  expect(client.outbox).toEqual([]);
  expect(await storage.entries('sanctum/outbox/')).toEqual([]);
  expect(http.calls[0]).toMatchObject({ method: 'POST', token: 'token', body: { message_id: messageId } });
  expect(messageId[14]).toBe('7');
  await client.close();
});

test('in order within a conversation, which another one does not wait for', async () => {
  const { client, http, clock } = await device({ listens: false });
  http.answer = (call) => (conversationOf(call) === A ? refused('overloaded', 5000) : accepted(1));
  const inA = [await client.send(A, '1'), await client.send(A, '2')];
  const inB = await client.send(B, '1');
  expect(await inB.settled).toEqual({ kind: 'sent', seq: 1 });
  await clock.advance(4999);
  expect(http.calls.filter((call) => conversationOf(call) === A)).toHaveLength(1);
  let seq = 0;
  http.answer = () => accepted(++seq);
  await clock.advance(1);
  expect(await Promise.all(inA.map(({ settled }) => settled))).toEqual([
    { kind: 'sent', seq: 1 },
    { kind: 'sent', seq: 2 },
  ]);
  await client.close();
});

test('what keeps a message from getting through is told', async () => {
  const cause = new ReferenceError('a typing error');
  const { client } = await device({ listens: false, token: () => Promise.reject(cause) });
  const told: unknown[] = [];
  client.on('error', (error) => void told.push(error));
  await client.send(A, 'text');
  await settle();
  expect(told).toMatchObject([{ code: 'login_required', retryable: true, cause }]);
  await client.close();
});

test.each([
  ['no answer', undefined],
  ['503', () => refused('unavailable')],
  ['429', () => refused('rate_limited')],
  ['500', () => refused('internal')],
  ['a proxy’s page', () => new Response('<html>', { status: 200 })],
  ['a captive portal', () => new Response('log in', { status: 403 })],
  ['an expired token', () => refused('token_expired')],
])('%s: the same message again, with full jitter', async (_, answer) => {
  const { client, http, clock } = await device({ listens: false });
  clock.draw = () => 0.5;
  http.answer = () => answer?.();
  const { settled, messageId } = await client.send(A, 'Hello');
  await clock.advance(60_000);
  const tries = http.calls.length;
  expect(tries).toBeGreaterThan(5);
  expect(tries).toBeLessThan(24);
  http.answer = () => accepted(3);
  await clock.advance(30_000);
  expect(await settled).toEqual({ kind: 'sent', seq: 3 });
  expect(new Set(http.calls.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(http.calls[0]?.body).toMatchObject({ message_id: messageId });
  await client.close();
});

test.each(['conversation_not_found', 'message_id_reused', 'payload_too_large'] as const)(
  '%s: comes back with its reason, and the next one goes',
  async (code) => {
    const { client, http } = await device({ listens: false });
    let posts = 0;
    http.answer = () => (posts++ === 0 ? refused(code) : accepted(1));
    const sent = [await client.send(A, 'refused'), await client.send(A, 'taken')];
    expect(await sent[0]?.settled).toMatchObject({ kind: 'refused', error: { code } });
    expect(await sent[1]?.settled).toEqual({ kind: 'sent', seq: 1 });
    await client.close();
  },
);

test('an expired token is renewed, and the message sent with the new one', async () => {
  let tokens = 0;
  const { client, http } = await device({ listens: false, token: () => `token ${++tokens}` });
  http.answer = ({ token }) => (token === 'token 1' ? refused('token_expired') : accepted(1));
  expect(await (await client.send(A, 'Hello')).settled).toEqual({ kind: 'sent', seq: 1 });
  expect(http.calls.map(({ token }) => token)).toEqual(['token 1', 'token 2']);
  await client.close();
});

test('a revoked login stops everything, and the message stays for the next one', async () => {
  const first = await device({ listens: false });
  first.http.answer = () => refused('revoked');
  const { settled } = await first.client.send(A, 'Hello');
  expect(await settled).toEqual({ kind: 'unsettled' });
  expect(first.client.status).toMatchObject({ state: 'stopped', error: { code: 'revoked' } });
  await expect(first.client.send(A, 'more')).rejects.toMatchObject({ code: 'revoked' });
  const second = await device({ listens: false, storage: first.storage });
  second.http.answer = () => accepted(4);
  await settle();
  expect(second.http.calls).toHaveLength(1);
  await second.client.close();
});

describe('after a restart', () => {
  test('goes on sending in the same order, the same bytes under the same ids', async () => {
    const first = await device({ listens: false });
    const sent = [await first.client.send(A, 'one'), await first.client.send(A, 'two')];
    await settle();
    await first.client.close();
    const second = await device({ listens: false, storage: first.storage });
    expect(second.client.outbox.map(({ content }) => new TextDecoder().decode(content))).toEqual([
      'one',
      'two',
    ]);
    let seq = 0;
    second.http.answer = () => accepted(++seq);
    await second.clock.advance(1000);
    expect(second.client.outbox).toEqual([]);
    const [tried, ...rest] = [...first.http.calls, ...second.http.calls].map(({ body }) => body);
    expect(rest.some((body) => JSON.stringify(body) === JSON.stringify(tried))).toBe(true);
    expect(rest.at(-1)).toMatchObject({ message_id: sent[1]?.messageId });
    await second.client.close();
  });

  test('what is too old to be known again by the server comes back instead', async () => {
    const first = await device({ listens: false });
    await first.client.send(A, 'old');
    await first.client.close();
    const clock = new ManualClock();
    clock.sleepMachine(OUTBOX_AGE_MAX_MS + 1000);
    const second = await device({ listens: false, storage: first.storage, clock });
    await settle();
    expect(second.client.outbox).toEqual([]);
    expect(second.http.calls).toEqual([]);
    await second.client.close();
  });

  test('who listens right after connect hears what becomes of all of it', async () => {
    const first = await device({ listens: false });
    for (const text of ['one', 'two', 'three']) await first.client.send(A, text);
    await first.client.close();
    const clock = new ManualClock();
    clock.sleepMachine(OUTBOX_AGE_MAX_MS + 1000);
    const client = await connect({
      url: 'http://service',
      userId: 'alice',
      token: 'token',
      cipher: mirrorCipher,
      storage: first.storage,
      WebSocket: first.network.WebSocket,
      fetch: first.http.fetch,
      clock,
    });
    expect(client.outbox).toHaveLength(3);
    const refusals: unknown[] = [];
    client.on('outgoing', ({ state }) => void refusals.push(state.kind === 'refused' && state.error.code));
    await clock.advance(1);
    expect(refusals).toEqual(['outbox_expired', 'outbox_expired', 'outbox_expired']);
    await client.close();
  });
});

test('a message that comes back by the socket first is settled by it', async () => {
  const { client, http, network, clock, storage } = await device();
  network.last.welcome();
  const { messageId, settled } = await client.send(A, 'Hello');
  const payload = {
    ciphertext: http.calls[0]?.body['ciphertext'],
    encryption: { scheme: 'mirror' },
    sender: 'alice',
  };
  network.last.serve(seated(A, 0), message(A, 1, { message_id: messageId, payload }));
  expect(await settled).toEqual({ kind: 'sent', seq: 1 });
  await settle();
  expect(await storage.entries('sanctum/outbox/')).toEqual([]);
  const posts = http.calls.length;
  await clock.advance(60_000);
  expect(http.calls.length).toBe(posts);
  await client.close();
});

test('what the application writes is stored with the message; where that fails nothing is sent', async () => {
  const { client, http, storage } = await device({ listens: false });
  http.answer = () => accepted(1);
  await client.send(A, 'Hello', { store: (tx, { messageId }) => tx.put('app/draft', messageId) });
  expect(await storage.entries('app/')).toHaveLength(1);
  const failing = client.send(A, 'Hello', {
    store: () => {
      throw new Error('no');
    },
  });
  await expect(failing).rejects.toThrow('no');
  await settle();
  expect(http.calls).toHaveLength(1);
  await client.close();
});

test('a message whose echo could not be stored still waits to be sent, and is not refused in a later run', async () => {
  const { client, clock, network, http, storage } = await device();
  let failures = 1;
  client.on('error', () => undefined);
  client.on('message', () => {
    if (failures-- > 0) throw new Error('the disk is full');
  });
  network.last.welcome();
  const { messageId, settled } = await client.send(A, 'text 1');
  const states: string[] = [];
  client.on('outgoing', ({ state }) => void states.push(state.kind));
  const echo = message(A, 1, { message_id: messageId });
  network.last.serve(seated(A, 0), {
    ...echo,
    payload: { ...(echo.payload as object), sender: 'alice' },
  });
  await settle();
  expect(states).toEqual([]);
  expect(await storage.entries('sanctum/outbox/')).toHaveLength(1);
  await clock.advance(1000);
  expect(await settled).toEqual({ kind: 'sent', seq: 1 });
  expect(states).toEqual(['sent']);
  expect(await storage.entries('sanctum/outbox/')).toEqual([]);
  expect(http.calls.length).toBeGreaterThan(0);
  await client.close();
});

test('the same id again is the same message, not another one that the service refuses', async () => {
  const { client, http, storage } = await device();
  const { promise, resolve } = withResolvers();
  http.answer = (call) => (conversationOf(call) === A ? promise : accepted(8));
  const messageId = '00000000-0000-7000-8000-00000000000a';
  const first = await client.send(A, 'text', { messageId });
  const again = await client.send(A, 'text', { messageId });
  const elsewhere = await client.send(B, 'text', { messageId });
  expect(await elsewhere.settled).toEqual({ kind: 'sent', seq: 8 });
  expect(client.outbox).toMatchObject([{ conversationId: A, messageId }]);
  expect(await storage.entries('sanctum/outbox/')).toHaveLength(1);
  resolve(accepted(7));
  for (const { settled } of [first, again]) expect(await settled).toEqual({ kind: 'sent', seq: 7 });
  expect(http.calls).toHaveLength(2);
  await client.close();
});

test('a token that has expired for good ends the login, rather than being tried for ever', async () => {
  const { client, http } = await device({ token: 'fixed', listens: false });
  http.answer = () => refused('token_expired');
  const { settled } = await client.send(A, 'text');
  expect(await settled).toEqual({ kind: 'unsettled' });
  expect(client.status).toMatchObject({ state: 'stopped', error: { code: 'login_required' } });
  await client.close();
});

test('a message that is too large for a proxy is refused, and holds up no other', async () => {
  const { client, http } = await device({ listens: false });
  let calls = 0;
  http.answer = () => (calls++ === 0 ? new Response('<html>', { status: 413 }) : ok({ seq: 1 }));
  const large = await client.send(A, 'large');
  const small = await client.send(A, 'small');
  expect(await large.settled).toMatchObject({ kind: 'refused', error: { code: 'payload_too_large' } });
  expect(await small.settled).toEqual({ kind: 'sent', seq: 1 });
  await client.close();
});
