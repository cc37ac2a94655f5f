import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import { A, B, JWT_ENV } from '../tests/ids.ts';
import { ManualClock } from '../tests/manual-clock.ts';
import { type Peer, ScriptedSocketServer, SERVER_TIME } from '../tests/scripted-socket-server.ts';
import { TestShell } from '../tests/test-shell.ts';

let server: ScriptedSocketServer;
beforeEach(async () => {
  server = await ScriptedSocketServer.start();
});
afterEach(() => server.stop());

interface Tail {
  readonly shell: TestShell;
  readonly clock: ManualClock;
  readonly code: Promise<number>;
}

function tail(...args: string[]): Tail {
  const clock = new ManualClock();
  const shell = new TestShell({ env: JWT_ENV, clock });
  const who = args.includes('--token') ? [] : ['--as', 'bob'];
  return { shell, clock, code: runCli(['tail', '--url', server.url, '--json', ...who, ...args], shell) };
}

/** The next connection, welcomed, with its conversation subscribed to where it asked. */
async function following(fields?: Parameters<ScriptedSocketServer['welcomed']>[0]): Promise<Peer> {
  const peer = await server.welcomed(fields);
  const { id, conversations } = await peer.receive('subscribe');
  const after = conversations[0]?.after;
  peer.subscribed(A, typeof after === 'number' ? after : 0, id);
  return peer;
}

const seqs = ({ shell }: Tail): unknown[] => shell.values.map((value) => value['seq']);
const printed = (run: Tail, count: number): Promise<void> =>
  run.shell.until(() => run.shell.values.length >= count);

test('one conversation: subscribes where asked, prints each message, ends after --count', async () => {
  const run = tail('--conversation', A, '--after', '4', '--count', '2');
  const peer = await server.welcomed();
  expect(peer.hello).toEqual({ type: 'hello', subscribe: 'none' });
  expect(peer.headers.authorization).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  const subscribe = await peer.receive('subscribe');
  expect(subscribe.conversations).toEqual([{ conversation_id: A, after: 4 }]);
  peer.subscribed(A, 4, subscribe.id);
  for (const seq of [5, 6, 7]) peer.message(A, seq);
  expect(await run.code).toBe(0);
  expect(run.shell.values).toEqual(
    [5, 6].map((seq) => ({
      type: 'message',
      occurred_at: SERVER_TIME,
      conversation_id: A,
      seq,
      message_id: `00000000-0000-7000-8000-00000000000${seq}`,
      event_type: 'MessageCreated',
      sender: 'alice',
      ciphertext_bytes: 6,
    })),
  );
  expect(await peer.receive('ack')).toEqual({ type: 'ack', delivered: 2 });
  expect(await peer.closed).toBe(1000);
});

test('all conversations: news of them too, each on a line', async () => {
  const run = tail('--all', '--after', 'start', '--count', '1');
  const peer = await server.welcomed();
  expect(peer.hello).toEqual({ type: 'hello', subscribe: 'all', without_cursor: 'start' });
  peer.subscribed(A, 0);
  peer.send({ type: 'gap', conversation_id: A, from: 1, to: 3, reason: 'retention' });
  peer.send({
    type: 'member',
    conversation_id: B,
    change: 'added',
    user_id: 'bob',
    seq: 9,
    head: 8,
    members_version: 4,
  });
  peer.send({ type: 'reset', conversation_id: A, epoch: 1, reason: 'cursor_ahead', head: 2 });
  peer.message(B, 9);
  expect(await run.code).toBe(0);
  expect(run.shell.values.map(({ type, conversation_id }) => [type, conversation_id])).toEqual([
    ['gap', A],
    ['member', B],
    ['reset', A],
    ['message', B],
  ]);
});

test('Ctrl-C acknowledges, closes and ends well', async () => {
  const run = tail('--conversation', A);
  const peer = await following();
  peer.message(A, 1);
  await printed(run, 1);
  run.shell.interrupt();
  expect(await run.code).toBe(0);
  expect(await peer.receive('ack')).toEqual({ type: 'ack', delivered: 1 });
  expect(await peer.closed).toBe(1000);
});

test('an ack is due at half the credit, or after 250 ms', async () => {
  const run = tail('--conversation', A);
  const peer = await following({ credit: 4 });
  peer.message(A, 1);
  peer.message(A, 2);
  expect(await peer.receive('ack')).toEqual({ type: 'ack', delivered: 2 });
  peer.message(A, 3);
  await printed(run, 3);
  run.clock.advance(250);
  expect(await peer.receive('ack')).toEqual({ type: 'ack', delivered: 3 });
  run.shell.interrupt();
  expect(await run.code).toBe(0);
});

test('a lost connection: it comes back behind its cursor, and a repeat is not printed twice', async () => {
  const run = tail('--conversation', A, '--count', '3');
  const first = await following();
  first.message(A, 1);
  first.message(A, 2);
  await printed(run, 2);
  first.close(1013, '{"retry_after_ms":700}');
  const second = await server.welcomed();
  const { id, conversations } = await second.receive('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 2 }]);
  second.subscribed(A, 2, id);
  second.message(A, 2);
  second.message(A, 3);
  expect(await run.code).toBe(0);
  expect(run.clock.slept).toEqual([700]);
  expect(seqs(run)).toEqual([1, 2, 3]);
});

test('all conversations: it comes back with epoch and cursors, and new ones begin at their start', async () => {
  const run = tail('--all', '--count', '2');
  const first = await server.welcomed({ epoch: 5 });
  expect(first.hello).toMatchObject({ without_cursor: 'head' });
  first.subscribed(A, 0);
  first.message(A, 1);
  first.send({ type: 'caught_up' });
  await printed(run, 1);
  first.close(4420);
  const second = await server.welcomed({ epoch: 5 });
  expect(second.hello).toEqual({
    type: 'hello',
    subscribe: 'all',
    without_cursor: 'start',
    epoch: 5,
    cursors: [[A, 1]],
  });
  second.message(A, 2);
  expect(await run.code).toBe(0);
});

test('silence for one and a half heartbeats: it reconnects', async () => {
  const run = tail('--conversation', A, '--count', '1');
  const first = await following({ heartbeat_ms: 1000 });
  await run.shell.until(({ err }) => err.includes('connected'));
  run.clock.advance(1000);
  first.send({ type: 'heartbeat', server_time: SERVER_TIME });
  first.send({ type: 'gap', conversation_id: A, from: 1, to: 1, reason: 'retention' });
  await printed(run, 1);
  run.clock.advance(1499);
  run.clock.advance(1);
  const second = await following();
  expect(await first.closed).toBe(1006);
  second.message(A, 2);
  expect(await run.code).toBe(0);
  expect(run.shell.err).toContain('nothing was heard');
});

test('goaway: the new connection is opened after exactly the pause, the old one goes on until it is ready', async () => {
  const run = tail('--conversation', A, '--count', '3');
  const old = await following();
  old.message(A, 1);
  old.send({ type: 'goaway', reason: 'drain', reconnect_after_ms: 1234, deadline_ms: 20_000 });
  const fresh = await server.peer();
  await fresh.receive('hello');
  old.message(A, 2);
  await printed(run, 2);
  fresh.ready();
  expect(await old.receive('ack')).toEqual({ type: 'ack', delivered: 2 });
  expect(await old.closed).toBe(1000);
  const { id, conversations } = await fresh.receive('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 2 }]);
  fresh.subscribed(A, 2, id);
  fresh.message(A, 3);
  expect(await run.code).toBe(0);
  expect(run.clock.slept).toEqual([1234]);
  expect(seqs(run)).toEqual([1, 2, 3]);
});

test('goaway, and the new connection is refused at first: the old one still delivers', async () => {
  const run = tail('--conversation', A, '--count', '2');
  const old = await following();
  old.send({ type: 'goaway', reason: 'drain', reconnect_after_ms: 10, deadline_ms: 20_000 });
  (await server.peer()).close(1013, '{"retry_after_ms":300}');
  const fresh = await server.peer();
  await fresh.receive('hello');
  old.message(A, 1);
  await printed(run, 1);
  fresh.ready();
  const { id } = await fresh.receive('subscribe');
  fresh.subscribed(A, 1, id);
  fresh.message(A, 2);
  expect(await run.code).toBe(0);
  expect(run.clock.slept).toEqual([10, 300]);
});

test('an expired token: --as mints another, --token stops', async () => {
  const renewing = tail('--conversation', A, '--count', '1');
  const first = await server.peer();
  first.close(4401);
  renewing.clock.advance(60_000);
  const second = await following();
  expect(second.headers.authorization).not.toBe(first.headers.authorization);
  second.message(A, 1);
  expect(await renewing.code).toBe(0);

  const stopping = tail('--conversation', A, '--token', 'a.b.c');
  (await server.peer()).close(4401);
  expect(await stopping.code).toBe(1);
  expect(stopping.shell.err).toContain('token_expired');
});

test.each([
  [4500, 'bug'],
  [4503, 'revoked'],
])('close code %d stops it', async (code, why) => {
  const run = tail('--conversation', A);
  (await following()).close(code);
  expect(await run.code).toBe(1);
  expect(run.shell.err).toContain(why);
});

test('a missing seq: it subscribes again, and reconnects when that does not help', async () => {
  const run = tail('--conversation', A, '--count', '2');
  const first = await following();
  first.message(A, 1);
  first.message(A, 3);
  first.message(A, 4);
  const repair = await first.receive('subscribe');
  expect(repair.conversations).toEqual([{ conversation_id: A, after: 1 }]);
  first.subscribed(A, 1, repair.id);
  first.message(A, 3);
  const second = await server.welcomed();
  const { id, conversations } = await second.receive('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 1 }]);
  second.subscribed(A, 1, id);
  second.message(A, 2);
  expect(await run.code).toBe(0);
  expect(seqs(run)).toEqual([1, 2]);
});

test('another epoch voids the place: told, and begun again from the start', async () => {
  const run = tail('--conversation', A, '--count', '2');
  const first = await following({ epoch: 1 });
  first.message(A, 1);
  await printed(run, 1);
  first.close(1012);
  const second = await server.welcomed({ epoch: 2 });
  const { id, conversations } = await second.receive('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 'start' }]);
  second.subscribed(A, 0, id);
  second.message(A, 1);
  expect(await run.code).toBe(0);
  expect(run.shell.values.map(({ type }) => type)).toEqual(['message', 'reset', 'message']);
});

test('a place ahead of the log is given up: told, and begun again from the start', async () => {
  const run = tail('--conversation', A, '--count', '2');
  const first = await following();
  first.message(A, 1);
  await printed(run, 1);
  first.close(1012);
  const second = await server.welcomed();
  const { id } = await second.receive('subscribe');
  second.send({
    type: 'subscribed',
    id,
    conversations: [{ conversation_id: A, status: 'error', code: 'cursor_ahead' }],
  });
  const again = await second.receive('subscribe');
  expect(again.conversations).toEqual([{ conversation_id: A, after: 'start' }]);
  second.subscribed(A, 0, again.id);
  second.message(A, 1);
  expect(await run.code).toBe(0);
});

test('not a member, or no such conversation: it says so and ends', async () => {
  const run = tail('--conversation', A);
  const peer = await server.welcomed();
  const { id } = await peer.receive('subscribe');
  const refusal = { conversation_id: A, status: 'error', code: 'conversation_not_found' } as const;
  peer.send({ type: 'subscribed', id, conversations: [refusal] });
  expect(await run.code).toBe(1);
  expect(JSON.parse(run.shell.err.trim().split('\n').at(-1) ?? '')).toMatchObject({
    error: { message: expect.stringContaining('not a member') },
  });
});

test('removed from the conversation: told on a line, and it ends', async () => {
  const run = tail('--conversation', A);
  const peer = await following();
  peer.send({
    type: 'member',
    conversation_id: A,
    change: 'removed',
    user_id: 'bob',
    seq: 0,
    head: 0,
    members_version: 3,
  });
  expect(await run.code).toBe(1);
  expect(run.shell.values).toMatchObject([{ type: 'member', change: 'removed' }]);
});

test('a message sent again by an operator is noted, and not printed as a new one', async () => {
  const run = tail('--conversation', A, '--count', '2');
  const peer = await following();
  peer.message(A, 1);
  peer.message(A, 1, { replay: 1 });
  peer.message(A, 2);
  expect(await run.code).toBe(0);
  expect(seqs(run)).toEqual([1, 2]);
  expect(run.shell.err).toContain('#1 of');
});

test('a newer server may send frames that are not known here', async () => {
  const run = tail('--conversation', A, '--count', '1');
  const peer = await following();
  peer.raw('{"type":"typing","who":"alice"}');
  peer.message(A, 1);
  expect(await run.code).toBe(0);
});

test('what is not JSON is a bug to report', async () => {
  const run = tail('--conversation', A);
  (await following()).raw('nonsense');
  expect(await run.code).toBe(1);
  expect(run.shell.err).toContain('broke the protocol');
});

test('where nothing answers, it asks whether `npm start` is running', async () => {
  const { url } = server;
  await server.stop();
  const shell = new TestShell({ env: JWT_ENV });
  expect(await runCli(['tail', '--url', url, '--all', '--as', 'bob'], shell)).toBe(1);
  expect(shell.err).toContain(`nothing answers at ${url}: is \`npm start\` running?`);
  server = await ScriptedSocketServer.start();
});
