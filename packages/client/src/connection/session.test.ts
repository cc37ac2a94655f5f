import type { ServerFrame } from '@sanctum/protocol';
import { formatTime } from '@sanctum/protocol';
import { expect, test, vi } from 'vitest';
import { A, B, device, gap, message, seated } from '../tests/device.ts';
import { settle } from '../tests/manual-clock.ts';

const goaway = (reconnect_after_ms: number): ServerFrame => ({
  type: 'goaway',
  reason: 'drain',
  reconnect_after_ms,
  deadline_ms: 20_000,
});

test('says hello with its token, and where conversations begin', async () => {
  const { network, client } = await device({ begin: 'start' });
  network.last.accept();
  expect(network.last.sent).toEqual([
    { type: 'hello', token: 'token', subscribe: 'all', without_cursor: 'start' },
  ]);
  await client.close();
});

test.each(['ftp://service', 'http://alice:secret@service', 'http://service?a=b', 'service'])(
  '%s is no address of a service',
  async (url) => {
    await expect(device({ url })).rejects.toThrow('`url` must be as https://chat.example');
  },
);

test('more than 500 cursors go on in further frames', async () => {
  const { network, client, clock } = await device();
  network.last.welcome();
  const ids = Array.from(
    { length: 1600 },
    (_, i) => `cccccccc-cccc-4ccc-8ccc-${String(i).padStart(12, '0')}`,
  );
  for (const id of ids) network.last.serve(seated(id, 5));
  network.last.drop();
  await clock.advance(1000);
  network.last.accept();
  const [hello, ...rest] = network.last.sent;
  expect(hello).toMatchObject({ type: 'hello', epoch: 1, more: true });
  expect(rest.map((frame) => [frame.type, 'more' in frame])).toEqual([
    ['cursors', true],
    ['cursors', false],
  ]);
  await client.close();
});

test('a second run begins at "start", once what came up to the first caught_up is stored', async () => {
  const first = await device();
  first.network.last.welcome();
  first.network.last.serve(seated(A, 4), message(A, 5), { type: 'caught_up' });
  await settle();
  expect(first.client.status).toEqual({ state: 'online', caughtUp: true });
  await first.client.close();
  const second = await device({ storage: first.storage });
  second.network.last.accept();
  expect(second.network.last.sentOf('hello')).toMatchObject([
    { without_cursor: 'start', epoch: 1, cursors: [[A, 5]] },
  ]);
  await second.client.close();
});

test('acknowledges at half of the credit, else 250 ms after the first frame', async () => {
  const { network, clock, client } = await device();
  network.last.welcome({ credit: 8 });
  network.last.serve(seated(A, 0), message(A, 1), message(A, 2), message(A, 3), message(A, 4));
  expect(network.last.sentOf('ack')).toEqual([{ type: 'ack', delivered: 4 }]);
  network.last.serve(message(A, 4));
  await clock.advance(249);
  expect(network.last.sentOf('ack')).toHaveLength(1);
  await clock.advance(1);
  expect(network.last.sentOf('ack').at(-1)).toEqual({ type: 'ack', delivered: 5 });
  await client.close();
});

test('an application that does not keep up gets no more than fits, and no new connection', async () => {
  const { network, clock, client } = await device({ listens: false });
  const messages = client.messages();
  await settle();
  network.last.welcome({ credit: 1024 });
  network.last.serve(seated(A, 0));
  for (let seq = 1; seq <= 1100; seq++) network.last.serve(message(A, seq));
  await clock.advance(1000);
  const acknowledged = network.last.sentOf('ack').at(-1)?.delivered ?? 0;
  expect(acknowledged).toBeLessThanOrEqual(1024);
  network.last.drop(4412);
  await clock.advance(3_600_000);
  expect(network.sockets).toHaveLength(1);
  for (let seq = 1; seq <= 200; seq++) expect((await messages.next()).value).toMatchObject({ seq });
  await clock.advance(1000);
  expect(network.sockets).toHaveLength(2);
  network.last.accept();
  expect(network.last.sentOf('hello')).toMatchObject([{ cursors: [[A, 1100]] }]);
  await client.close();
});

test('silence of one and a half heartbeats ends a connection', async () => {
  const { network, clock, client } = await device();
  network.last.welcome({ heartbeat_ms: 10_000 });
  await clock.advance(14_999);
  expect(network.last.isClosed).toBe(false);
  network.last.serve({ type: 'heartbeat' });
  await clock.advance(14_999);
  expect(network.sockets).toHaveLength(1);
  await clock.advance(1000);
  expect(network.sockets).toHaveLength(2);
  await client.close();
});

test('a server that accepts and says nothing is left after 15 s', async () => {
  const { network, clock, client } = await device();
  network.last.accept();
  await clock.advance(15_500);
  expect(network.sockets[0]?.isClosed).toBe(true);
  expect(network.sockets).toHaveLength(2);
  await client.close();
});

test('after the machine slept the connection is probed, and left where it is dead', async () => {
  const { network, clock, client } = await device();
  network.last.welcome({ heartbeat_ms: 600_000 });
  clock.sleepMachine(60_000);
  await clock.advance(5000);
  const [ping] = network.last.sentOf('ping');
  network.last.serve({ type: 'pong', id: ping?.id } as never);
  await clock.advance(5000);
  expect(network.last.isClosed).toBe(false);
  clock.sleepMachine(60_000);
  await clock.advance(10_000);
  expect(network.sockets[0]?.isClosed).toBe(true);
  await clock.advance(1000);
  expect(network.sockets).toHaveLength(2);
  await client.close();
});

test('news of the network cut a pause short', async () => {
  const events = new EventTarget();
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
  vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events));
  const { network, clock, client } = await device();
  vi.unstubAllGlobals();
  clock.draw = () => 0.999;
  network.onOpen = (socket) => socket.drop();
  await clock.advance(60_000);
  const before = network.sockets.length;
  events.dispatchEvent(new Event('online'));
  await clock.advance(1000);
  expect(network.sockets.length).toBe(before + 1);
  // However often it is said.
  for (let i = 0; i < 100; i++) {
    events.dispatchEvent(new Event('online'));
    await clock.advance(100);
  }
  expect(network.sockets.length).toBeLessThanOrEqual(before + 12);
  await client.close();
});

test('goaway: opens the new socket after exactly that time, and closes the old one at its ready', async () => {
  const { network, clock, client, taken } = await device();
  const old = network.last;
  old.welcome();
  old.serve(seated(A, 0), message(A, 1), goaway(3000));
  await clock.advance(2999);
  expect(network.sockets).toHaveLength(1);
  await clock.advance(1);
  const next = network.last;
  expect(next).not.toBe(old);
  old.serve(message(A, 2));
  expect(old.isClosed).toBe(false);
  next.welcome();
  expect(old.closedWith).toBe(1000);
  // What the old one still brings is nobody's; what both bring is had once.
  old.serve(message(A, 3));
  next.serve(message(A, 2), message(A, 3));
  await settle();
  expect(taken).toEqual(['1', '2', '3']);
  expect(client.status).toEqual({ state: 'online', caughtUp: false });
  await client.close();
});

test('callbacks of an older connection change nothing', async () => {
  const { network, clock, client, taken } = await device();
  const old = network.last;
  old.welcome();
  old.serve(seated(A, 0));
  old.drop();
  await clock.advance(1000);
  network.last.welcome();
  old.serve(message(A, 1), { type: 'caught_up' });
  old.raw('no JSON');
  old.drop(4503);
  await settle();
  expect(taken).toEqual([]);
  expect(client.status).toEqual({ state: 'online', caughtUp: false });
  await client.close();
});

test('a caught_up that is stored late does not speak for the next connection', async () => {
  const { network, clock, client } = await device({ listens: false });
  const messages = client.messages();
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1), { type: 'caught_up' });
  network.last.drop();
  await clock.advance(1000);
  network.last.welcome();
  await messages.next();
  void messages.next();
  await settle();
  expect(client.status).toEqual({ state: 'online', caughtUp: false });
  await client.close();
});

test('the token is renewed on the connection before it expires', async () => {
  let tokens = 0;
  const { network, clock, client } = await device({ token: () => `token ${++tokens}` });
  network.last.welcome({ heartbeat_ms: 3_600_000, expires_at: formatTime(clock.now() + 600_000) });
  await clock.advance(539_000);
  expect(network.last.sentOf('auth')).toEqual([]);
  await clock.advance(1000);
  expect(network.last.sentOf('auth')).toEqual([{ type: 'auth', token: 'token 2' }]);
  network.last.serve({ type: 'error', code: 'token_invalid' } as never);
  await clock.advance(10_000);
  expect(network.last.sentOf('auth').at(-1)).toEqual({ type: 'auth', token: 'token 3' });
  await client.close();
});

test('a server that skips a seq is asked again, and left where that did not help', async () => {
  const { network, clock, client, taken } = await device();
  network.last.welcome();
  network.last.serve(seated(A, 4), message(A, 6), message(A, 7));
  expect(network.last.sentOf('subscribe')).toEqual([
    { type: 'subscribe', id: 'keep:repair:1', conversations: [{ conversation_id: A, after: 4 }] },
  ]);
  network.last.serve(seated(A, 4, 'keep:repair:1'), message(A, 5), message(A, 6), message(A, 8));
  await settle();
  expect(taken).toEqual(['5', '6']);
  expect(network.last.isClosed).toBe(true);
  await clock.advance(1000);
  network.last.accept();
  expect(network.last.sentOf('hello')).toMatchObject([{ cursors: [[A, 6]] }]);
  await client.close();
});

test('a token of somebody else ends the session: one has to log in again', async () => {
  const { network, client } = await device();
  network.last.welcome({ user_id: 'bob' });
  await settle();
  expect(client.status).toMatchObject({ state: 'stopped', error: { code: 'login_required' } });
});

test.each(['[]', 'no JSON', '{"type":7}', new Uint8Array(3)])('%s is no frame, and the end', async (data) => {
  const { network, client } = await device();
  network.last.welcome();
  network.last.raw(data);
  await settle();
  expect(client.status).toMatchObject({ state: 'stopped', error: { code: 'protocol_broken' } });
});

test('a known frame that lacks what it must have ends the connection, not the process', async () => {
  const { network, client } = await device();
  network.last.welcome();
  network.last.serve({ type: 'subscribed' });
  await settle();
  expect(client.status).toMatchObject({ state: 'stopped', error: { code: 'protocol_broken' } });
});

test('takes unknown frames, fields, codes and reasons', async () => {
  const { network, client, taken } = await device();
  network.last.welcome({ later: 1 } as never);
  network.last.serve(
    { type: 'later' },
    seated(A, 0),
    { ...gap(A, 1, 1, 'eaten_by_a_dog'), later: true } as never,
    { type: 'error', code: 'later' } as never,
    { ...message(A, 2), later: {} } as never,
  );
  await settle();
  expect(taken).toEqual(['2']);
  expect(client.status.state).toBe('online');
  await client.close();
});

test('without "all" each connection asks again, behind what is there; a raised epoch voids it', async () => {
  const { network, clock, client, taken } = await device({ subscribe: 'none' });
  network.last.welcome();
  const answer = client.subscribe(A, { after: 'start' });
  await settle();
  expect(network.last.sentOf('subscribe')).toMatchObject([
    { conversations: [{ conversation_id: A, after: 'start' }] },
  ]);
  network.last.serve(seated(A, 0, network.last.sentOf('subscribe')[0]?.id), message(A, 1));
  expect(await answer).toEqual({ after: 0, head: 0, min: 1 });
  network.last.drop();
  await clock.advance(1000);
  network.last.welcome();
  expect(network.last.sentOf('hello')).toMatchObject([{ subscribe: 'none' }]);
  expect(network.last.sentOf('subscribe')).toMatchObject([
    { conversations: [{ conversation_id: A, after: 1 }] },
  ]);
  network.last.drop();
  await clock.advance(2000);
  network.last.welcome({ epoch: 2 });
  expect(network.last.sentOf('subscribe')).toMatchObject([{ conversations: [{ after: 'start' }] }]);
  expect(taken).toEqual(['1']);
  await client.close();
});

test('who subscribes without a place does not undo that of another', async () => {
  const { network, client } = await device({ subscribe: 'none' });
  const answers = [client.subscribe(A, { after: 'start' }), client.subscribe(A)];
  network.last.welcome();
  const [asked] = network.last.sentOf('subscribe');
  expect(asked).toMatchObject({ conversations: [{ conversation_id: A, after: 'start' }] });
  network.last.serve(seated(A, 0, asked?.id));
  expect(await Promise.all(answers)).toMatchObject([{ after: 0 }, { after: 0 }]);
  await client.close();
});

test('a refused subscribe rejects, a busy server is asked again', async () => {
  const { network, clock, client } = await device({ subscribe: 'none' });
  network.last.welcome();
  const refused = client.subscribe(A).catch((error: unknown) => error);
  const busy = client.subscribe(B);
  await settle();
  const [first, second] = network.last.sentOf('subscribe');
  network.last.serve({
    type: 'subscribed',
    id: first?.id,
    conversations: [{ conversation_id: A, status: 'error', code: 'conversation_not_found' }],
  });
  network.last.serve({ type: 'error', id: second?.id, code: 'rate_limited', retry_after_ms: 2000 });
  expect(await refused).toMatchObject({ code: 'conversation_not_found' });
  await clock.advance(1999);
  expect(network.last.sentOf('subscribe')).toHaveLength(2);
  await clock.advance(1);
  network.last.serve(seated(B, 3, network.last.sentOf('subscribe')[2]?.id));
  expect(await busy).toMatchObject({ after: 3 });
  await client.close();
});
