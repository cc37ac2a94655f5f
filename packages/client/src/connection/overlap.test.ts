import type { ServerFrame } from '@sanctum/protocol';
import { expect, test } from 'vitest';
import { A, B, device, message, seated, type Device } from '../tests/device.ts';
import { settle } from '../tests/manual-clock.ts';
import type { ScriptedSocket } from '../tests/scripted-network.ts';

const SENT_ON = { type: 'goaway', reason: 'drain', reconnect_after_ms: 100, deadline_ms: 20_000 } as const;

/** A device that moves: its old socket, still in use, and the new one, which has said hello. */
async function moving(options: Parameters<typeof device>[0] = {}): Promise<Device & { old: ScriptedSocket }> {
  const one = await device(options);
  const old = one.network.last;
  old.welcome();
  old.serve(SENT_ON);
  await one.clock.advance(100);
  one.network.last.accept();
  return { ...one, old };
}

test('a conversation that the old socket seated while the new one said hello loses and repeats nothing', async () => {
  const { client, network, old, taken } = await moving();
  old.serve(seated(A, 10), message(A, 11));
  const next = network.last;
  next.welcome();
  // It begins at the head of its own moment, and goes on before the answer.
  next.serve(seated(A, 13), message(A, 14));
  expect(next.sentOf('subscribe')).toMatchObject([{ conversations: [{ conversation_id: A, after: 11 }] }]);
  next.serve(message(A, 15));
  const id = next.sentOf('subscribe')[0]?.id;
  next.serve(
    seated(A, 11, id),
    message(A, 12),
    message(A, 13),
    message(A, 14),
    message(A, 15),
    message(A, 16),
  );
  await settle();
  expect(taken).toEqual(['11', '12', '13', '14', '15', '16']);
  expect([next.isClosed, next.sentOf('subscribe').length]).toEqual([false, 1]);
  await client.close();
});

test('what comes in order between a repair and its answer is not handed on twice', async () => {
  const { client, network, taken } = await device();
  const socket = network.last;
  socket.welcome();
  socket.serve(seated(A, 4), message(A, 6), message(A, 5), message(A, 6));
  socket.serve(seated(A, 4, socket.sentOf('subscribe')[0]?.id));
  socket.serve(message(A, 5), message(A, 6), message(A, 7));
  await settle();
  expect(taken).toEqual(['5', '6', '7']);
  expect(socket.isClosed).toBe(false);
  await client.close();
});

test('a repair that is refused is no repair: it connects anew', async () => {
  const { client, network, clock } = await device();
  const socket = network.last;
  socket.welcome();
  socket.serve(seated(A, 4), message(A, 6));
  const id = socket.sentOf('subscribe')[0]?.id ?? '';
  const conversations = [{ conversation_id: A, status: 'error' as const, code: 'cursor_ahead' as const }];
  socket.serve({ type: 'subscribed', id, conversations });
  expect(socket.isClosed).toBe(true);
  await clock.advance(1000);
  expect(network.sockets).toHaveLength(2);
  await client.close();
});

test('the new socket says hello with the cursors of the moment at which it opened', async () => {
  const { client, network, clock } = await device();
  const old = network.last;
  old.welcome();
  old.serve(seated(A, 1), SENT_ON);
  await clock.advance(100);
  old.serve({ type: 'reset', conversation_id: A, epoch: 1, head: 0, reason: 'cursor_ahead' });
  old.serve(seated(A, 0), message(A, 1), message(A, 2));
  network.last.accept();
  expect(network.last.sentOf('hello')).toMatchObject([{ cursors: [[A, 2]] }]);
  await client.close();
});

test('an older socket that goes on is no reason to be told that the client is offline', async () => {
  const { client, network, clock } = await device({ listens: false });
  const states: string[] = [];
  client.on('status', ({ state }) => void states.push(state));
  client.on('message', () => undefined);
  await settle();
  const old = network.last;
  old.welcome();
  old.serve(SENT_ON);
  await clock.advance(100);
  network.last.drop(1006);
  await clock.advance(100);
  old.serve({ type: 'caught_up' });
  await settle();
  expect(states).toEqual(['connecting', 'online', 'online']);
  expect(client.status).toEqual({ state: 'online', caughtUp: true });
  await client.close();
});

test('removed and added again while two sockets overlap: begins where it came back', async () => {
  const { client, network, old, taken } = await moving();
  old.serve(seated(A, 3), message(A, 4), member('removed', 5, 4), member('added', 6, 9), message(A, 10));
  const next = network.last;
  next.welcome();
  // The new socket heard of them too, and of what the old one had brought.
  next.serve(member('removed', 5, 4), member('added', 6, 9), message(A, 10), message(A, 11));
  await settle();
  expect(taken).toEqual(['4', '10', '11']);
  await client.close();
});

/** What the old socket tells of A: its last `seq` is the head. */
function member(change: 'added' | 'removed', members_version: number, head: number): ServerFrame {
  return {
    type: 'member',
    conversation_id: A,
    change,
    user_id: 'alice',
    seq: head + 1,
    head,
    members_version,
  };
}

function refused(id: string | number | undefined): ServerFrame {
  return {
    type: 'subscribed',
    ...(id !== undefined && { id }),
    conversations: [{ conversation_id: A, status: 'error', code: 'conversation_not_found' }],
  };
}

test('added on the old socket alone, and removed since: the new one is asked, and it is forgotten', async () => {
  const { client, network, clock, old } = await moving();
  old.serve(member('added', 4, 7), message(A, 8));
  const next = network.last;
  next.welcome();
  expect(next.sentOf('subscribe')).toMatchObject([{ conversations: [{ conversation_id: A, after: 8 }] }]);
  next.serve(refused(next.sentOf('subscribe')[0]?.id));
  expect(next.isClosed).toBe(false);
  next.drop();
  await clock.advance(1000);
  network.last.accept();
  expect(network.last.sentOf('hello')[0]?.cursors).toBeUndefined();
  await client.close();
});

test('removed on the old socket, added again before the new one said hello: nothing is missed', async () => {
  const one = await device();
  const old = one.network.last;
  old.welcome();
  old.serve(seated(A, 36), message(A, 37), SENT_ON);
  await one.clock.advance(100);
  const next = one.network.last;
  next.accept();
  old.serve(member('removed', 5, 37));
  next.welcome();
  // It goes on from the cursor of its hello.
  next.serve(message(A, 38));
  const [{ id, conversations } = {}] = next.sentOf('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 37 }]);
  next.serve(seated(A, 37, id), message(A, 38), message(A, 39));
  await settle();
  expect([one.taken, next.isClosed]).toEqual([['37', '38', '39'], false]);
  await one.client.close();
});

test('left and joined again on the old socket, while the new one was asked in between: loses and repeats nothing', async () => {
  const one = await device();
  const old = one.network.last;
  old.welcome();
  old.serve(seated(A, 3), message(A, 4), SENT_ON);
  await one.clock.advance(100);
  const next = one.network.last;
  next.accept();
  old.serve(member('removed', 5, 4), member('added', 6, 9), message(A, 10));
  next.welcome();
  const [{ id, conversations } = {}] = next.sentOf('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 10 }]);
  // What it has to say of the hello's cursor comes first, and then what it heard of the second change.
  next.serve(refused(undefined), member('added', 6, 9), message(A, 10), message(A, 11));
  next.serve(seated(A, 10, id), message(A, 11), message(A, 12));
  await settle();
  expect([one.taken, next.isClosed]).toEqual([['4', '10', '11', '12'], false]);
  await one.client.close();
});

test('set back on the old socket by the application: the new one sends what was asked for', async () => {
  const one = await device();
  const old = one.network.last;
  old.welcome();
  old.serve(seated(A, 8), message(A, 9), SENT_ON);
  await one.clock.advance(100);
  const next = one.network.last;
  next.accept();
  const asked = one.client.subscribe(A, { after: 5 });
  await settle();
  old.serve(seated(A, 5, old.sentOf('subscribe')[0]?.id), message(A, 6));
  await asked;
  next.welcome();
  const [{ id, conversations } = {}] = next.sentOf('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 6 }]);
  next.serve(seated(A, 6, id), message(A, 7), message(A, 8));
  await settle();
  expect(one.taken).toEqual(['9', '6', '7', '8']);
  await one.client.close();
});

test('an epoch that was raised in between: a reset follows, and nothing is asked for with old cursors', async () => {
  const { client, network, old } = await moving();
  old.serve(member('added', 4, 7), message(A, 8));
  network.last.welcome({ epoch: 2 });
  expect(network.last.sentOf('subscribe')).toEqual([]);
  await client.close();
});

test('a subscribe without a place hands on nothing twice, with one everything from there', async () => {
  const { client, network, taken } = await device();
  const socket = network.last;
  socket.welcome();
  socket.serve(seated(A, 4));
  const asked = client.subscribe(A);
  await settle();
  socket.serve(message(A, 5));
  socket.serve(seated(A, 4, socket.sentOf('subscribe')[0]?.id), message(A, 5), message(A, 6));
  expect(await asked).toMatchObject({ after: 4 });
  const again = client.subscribe(A, { after: 5 });
  await settle();
  socket.serve(seated(A, 5, socket.sentOf('subscribe')[1]?.id), message(A, 6));
  expect(await again).toMatchObject({ after: 5 });
  await settle();
  expect(taken).toEqual(['5', '6', '6']);
  await client.close();
});

test('two subscribes on their way: each gets its place, the later one stays', async () => {
  const { client, network } = await device();
  const socket = network.last;
  socket.welcome();
  socket.serve(seated(A, 7));
  const both = [client.subscribe(A), client.subscribe(A, { after: 2 })];
  await settle();
  const [first, second] = socket.sentOf('subscribe');
  socket.serve(seated(A, 7, first?.id), message(A, 8), seated(A, 2, second?.id), message(A, 3));
  expect((await Promise.all(both)).at(-1)).toMatchObject({ after: 2 });
  expect(socket.sentOf('subscribe')).toHaveLength(2);
  expect(socket.isClosed).toBe(false);
  await client.close();
});

test('what was asked for while the log was set back is not asked for with an old cursor', async () => {
  const { client, network, clock, taken } = await device();
  network.last.welcome();
  network.last.serve(seated(A, 7));
  network.last.drop();
  const asked = client.subscribe(A);
  await clock.advance(1000);
  const socket = network.last;
  socket.welcome({ epoch: 2 });
  expect(socket.sentOf('subscribe')).toMatchObject([{ conversations: [{ after: 'start' }] }]);
  socket.serve({ type: 'reset', conversation_id: '*', epoch: 2, reason: 'epoch' });
  socket.serve(seated(A, 0), message(A, 1));
  socket.serve(seated(A, 0, socket.sentOf('subscribe')[0]?.id), message(A, 1), message(A, 2));
  expect(await asked).toMatchObject({ after: 0 });
  await settle();
  expect(taken).toEqual(['1', '2']);
  await client.close();
});

test('a place that is refused takes nothing away: the conversation is followed as before', async () => {
  const { client, network, clock } = await device({ subscribe: 'none' });
  network.last.welcome();
  const first = client.subscribe(A, { after: 3 });
  await settle();
  network.last.serve(seated(A, 3, network.last.sentOf('subscribe')[0]?.id));
  await first;
  const ahead = client.subscribe(A, { after: 99 }).catch((error: unknown) => error);
  await settle();
  const id = network.last.sentOf('subscribe')[1]?.id ?? '';
  const conversations = [{ conversation_id: A, status: 'error' as const, code: 'cursor_ahead' as const }];
  network.last.serve({ type: 'subscribed', id, conversations });
  expect(await ahead).toMatchObject({ code: 'cursor_ahead' });
  network.last.drop();
  await clock.advance(1000);
  network.last.welcome();
  expect(network.last.sentOf('subscribe')).toMatchObject([
    { conversations: [{ conversation_id: A, after: 3 }] },
  ]);
  await client.close();
});

test.each(['NOT-A-UUID', A.toUpperCase(), `${B}/..`, ''])(
  'an id that is none is told at once: %j',
  async (id) => {
    const { client, network, http } = await device();
    network.last.welcome();
    for (const call of [client.subscribe(id), client.send(id, 'text'), client.history(id)]) {
      await expect(call).rejects.toThrow(TypeError);
    }
    await expect(client.subscribe(A, { after: -1 })).rejects.toThrow(TypeError);
    await expect(client.send(A, 'text', { messageId: id })).rejects.toThrow(TypeError);
    expect([network.last.sentOf('subscribe'), http.calls, client.outbox]).toEqual([[], [], []]);
    await client.close();
  },
);
