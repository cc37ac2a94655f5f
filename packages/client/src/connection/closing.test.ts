import { expect, test, vi } from 'vitest';
import { SanctumError } from '../sanctum-error.ts';
import { memoryStorage } from '../storage/memory-storage.ts';
import { A, device, message, seated } from '../tests/device.ts';
import { ManualClock, settle } from '../tests/manual-clock.ts';

/** Whether a promise is settled, once all that is ready to run has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.finally(() => (settled = true));
  await settle();
  return settled;
}

test('a listener that never returns does not hold up close for ever', async () => {
  const { client, network, clock } = await device({ listens: false });
  client.on('message', () => new Promise(() => undefined));
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1));
  await settle();
  const closed = client.close();
  expect(await isSettled(closed)).toBe(false);
  await clock.advance(1000);
  expect(await isSettled(closed)).toBe(true);
  expect(clock.waiting).toBe(0);
});

test('a listener that closes the client, and waits for it, is not a deadlock', async () => {
  const { client, network, clock } = await device({ listens: false });
  let isClosed = false;
  client.on('message', async () => {
    await client.close();
    isClosed = true;
  });
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1));
  await clock.advance(1000);
  expect(isClosed).toBe(true);
});

test('what a listener was at when the client was closed is stored, if it returns', async () => {
  const { client, network, storage } = await device({ listens: false });
  let goOn: () => void = () => undefined;
  client.on('message', () => new Promise<void>((resolve) => (goOn = resolve)));
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1), message(A, 2));
  await settle();
  const closed = client.close();
  goOn();
  await closed;
  expect(await storage.entries('sanctum/cursor/')).toMatchObject([[expect.any(String), { cursor: 1 }]]);
});

test.each(['connecting', 'waiting', 'online', 'stopped'])(
  'closed by a listener that is told "%s" it ends, and leaves no socket and no timer',
  async (state) => {
    const { client, network, clock } = await device({ listens: false });
    let closed: Promise<void> | undefined;
    client.on('status', (status) => {
      if (status.state === state) closed ??= client.close();
    });
    client.on('message', () => undefined);
    await settle();
    if (closed === undefined) network.last.welcome();
    await settle();
    if (closed === undefined) network.last.drop(state === 'stopped' ? 4503 : 1006);
    await settle();
    expect(closed).toBeDefined();
    expect(await isSettled(closed as Promise<void>)).toBe(true);
    expect(network.sockets.every((socket) => socket.isClosed)).toBe(true);
    expect(clock.waiting).toBe(0);
  },
);

test('a token callback that hangs does not hold up close', async () => {
  const { client, network, clock } = await device({ token: () => new Promise<string>(() => undefined) });
  const history = client.history(A).catch((error: unknown) => error);
  const sent = await client.send(A, 'waits');
  expect(await isSettled(client.close())).toBe(true);
  expect(await history).toMatchObject({ code: 'closed' });
  expect(await sent.settled).toEqual({ kind: 'unsettled' });
  expect(network.sockets).toEqual([]);
  expect(clock.waiting).toBe(0);
});

test('a message that is being stored while the client is closed is unsettled, not forgotten', async () => {
  const plain = memoryStorage();
  let commit: () => void = () => undefined;
  const storage = {
    ...plain,
    transaction: async (work: Parameters<typeof plain.transaction>[0]) => {
      await new Promise<void>((resolve) => (commit = resolve));
      return plain.transaction(work);
    },
  };
  const { client } = await device({ storage, listens: false });
  const sending = client.send(A, 'text');
  await settle();
  await client.close();
  commit();
  const { settled } = await sending;
  expect(await settled).toEqual({ kind: 'unsettled' });
});

test('a WebSocket that cannot be made ends the client with its reason, and no timer', async () => {
  const clock = new ManualClock();
  const WebSocket = function (): never {
    throw new TypeError('mixed content');
  };
  const { client } = await device({ clock, WebSocket: WebSocket as never });
  expect(client.status).toMatchObject({ state: 'stopped', error: { cause: { message: 'mixed content' } } });
  await client.close();
  expect(clock.waiting).toBe(0);
});

test('a login that is over before the client is there leaves no timer behind', async () => {
  const first = await device({ listens: false });
  for (let n = 0; n < 20; n++) await first.client.send(A, 'text');
  await first.client.close();
  const clock = new ManualClock();
  const token = () => Promise.reject(new SanctumError('login_required', 'log in'));
  const { client } = await device({ listens: false, storage: first.storage, clock, token });
  expect(client.status.state).toBe('stopped');
  expect(clock.waiting).toBe(0);
});

test('a client that did everything leaves no timer and no listener behind', async () => {
  const added = vi.spyOn(AbortSignal.prototype, 'addEventListener');
  const removed = vi.spyOn(AbortSignal.prototype, 'removeEventListener');
  const { client, network, clock, http } = await device();
  http.answer = () => new Response(JSON.stringify({ seq: 1 }), { status: 201 });
  const listening = async (): Promise<number> => {
    await clock.advance(60_000);
    return added.mock.calls.length - removed.mock.calls.length;
  };
  network.onOpen = (socket) => socket.welcome({ heartbeat_ms: 1_000_000 });
  network.last.welcome({ heartbeat_ms: 1_000_000 });
  const before = await listening();
  for (let round = 0; round < 20; round++) {
    await (
      await client.send(A, 'text')
    ).settled;
    network.last.drop(1006);
    await clock.advance(60_000);
  }
  expect(await listening()).toBe(before);
  expect(added.mock.calls.length).toBeGreaterThan(20);
  await client.close();
  expect(clock.waiting).toBe(0);
  vi.restoreAllMocks();
});
