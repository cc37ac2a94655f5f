import { keyLine, parseKeyFile, webCryptoCipher } from '@sanctum/client/webcrypto';
import { memoryStorage } from '@sanctum/client';
import { encodeBase64 } from '@sanctum/protocol';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import { A, B, JWT_ENV } from '../tests/ids.ts';
import { ManualClock } from '../tests/manual-clock.ts';
import { type Peer, ScriptedSocketServer, SERVER_TIME } from '../tests/scripted-socket-server.ts';
import { TestShell } from '../tests/test-shell.ts';
import { mintToken } from '../tokens.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sanctum-tail-'));
let server: ScriptedSocketServer;
beforeEach(async () => {
  server = await ScriptedSocketServer.start();
});
afterEach(() => server.stop());
afterAll(() => rmSync(folder, { recursive: true }));

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
async function following(): Promise<Peer> {
  const peer = await server.welcomed();
  const { id, conversations } = await peer.receive('subscribe');
  const after = conversations[0]?.after;
  peer.subscribed(A, typeof after === 'number' ? after : 0, id);
  return peer;
}

const carol = (shell: TestShell) => mintToken(shell, { sub: 'carol', ttlMs: 60_000 });
const seqs = ({ shell }: Tail): unknown[] => shell.values.map((value) => value['seq']);
const printed = (run: Tail, count: number): Promise<void> =>
  run.shell.until(() => run.shell.values.length >= count);
/** Lets the pause before the next connection pass. */
async function pausedAfter({ shell, clock }: Tail, why: string): Promise<void> {
  await shell.until(({ err }) => err.includes(why) && err.includes('connecting again in'));
  clock.advance(30_000);
}

test('one conversation: subscribes where asked, prints each message, ends after --count', async () => {
  const run = tail('--conversation', A, '--after', '4', '--count', '2');
  const peer = await server.welcomed();
  expect(peer.hello).toMatchObject({ subscribe: 'none', token: expect.stringMatching(/^[\w-]+\.[\w-]+\./) });
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
  expect(await peer.closed).toBe(1000);
});

test('all conversations: news of them too, each on a line', async () => {
  const run = tail('--all', '--after', 'start', '--count', '1');
  const peer = await server.welcomed();
  expect(peer.hello).toMatchObject({ subscribe: 'all', without_cursor: 'start' });
  peer.subscribed(A, 0);
  peer.send({ type: 'gap', conversation_id: A, from: 1, to: 3, reason: 'retention' });
  const added = { change: 'added', user_id: 'bob', seq: 9, head: 8, members_version: 4 } as const;
  peer.send({ type: 'member', conversation_id: B, ...added });
  peer.send({ type: 'reset', conversation_id: A, epoch: 1, reason: 'cursor_ahead', head: 2 });
  peer.message(B, 9);
  expect(await run.code).toBe(0);
  expect(run.shell.values).toMatchObject([
    { type: 'gap', conversation_id: A, from: 1, to: 3 },
    { type: 'member', conversation_id: B, change: 'added', user_id: 'bob', seq: 9 },
    { type: 'reset', conversation_id: A },
    { type: 'message', conversation_id: B, seq: 9 },
  ]);
});

test('with a key file it prints what was said, and never the key', async () => {
  const file = path.join(folder, 'chat.key');
  const line = keyLine();
  writeFileSync(file, line);
  const cipher = webCryptoCipher({ keys: parseKeyFile(line), storage: memoryStorage() });
  const messageId = '00000000-0000-7000-8000-000000000001';
  const context = { conversationId: A, sender: 'alice', messageId };
  const { ciphertext, scheme, keyId } = await cipher.encrypt(Buffer.from('Hello, Bob.'), context);
  const encryption = { scheme, key_id: keyId };

  const run = tail('--conversation', A, '--key-file', file, '--count', '2');
  const peer = await following();
  peer.message(A, 1, { payload: { ciphertext: encodeBase64(ciphertext), encryption, sender: 'alice' } });
  // Of another key, or of none: told without its text.
  peer.message(A, 2);
  expect(await run.code).toBe(0);
  expect(run.shell.values).toMatchObject([
    { seq: 1, text: 'Hello, Bob.', ciphertext_bytes: ciphertext.length },
    { seq: 2, ciphertext_bytes: 6 },
  ]);
  expect(run.shell.values[1]).not.toHaveProperty('text');
  expect(run.shell.out + run.shell.err).not.toContain(line.split(' ')[1]);
});

test('with --state the next run goes on behind what was printed', async () => {
  const state = path.join(folder, 'bob.state');
  const first = tail('--conversation', A, '--after', 'start', '--state', state, '--count', '2');
  const peer = await following();
  for (const seq of [1, 2, 3]) peer.message(A, seq);
  expect(await first.code).toBe(0);

  const second = tail('--conversation', A, '--state', state, '--count', '1');
  const again = await server.welcomed();
  const { id, conversations } = await again.receive('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 2 }]);
  again.subscribed(A, 2, id);
  again.message(A, 3);
  expect(await second.code).toBe(0);
  expect([...seqs(first), ...seqs(second)]).toEqual([1, 2, 3]);

  const moved = tail('--all', '--after', 'head', '--state', state);
  expect(await moved.code).toBe(2);
  expect(moved.shell.err).toContain('leave out --after');

  const { shell, code } = tail('--all', '--state', state, '--token', (await carol(first.shell)).token);
  expect(await code).toBe(1);
  expect(shell.err).toContain('keeps the places of another user');
});

test('Ctrl-C ends it well', async () => {
  const run = tail('--conversation', A);
  const peer = await following();
  peer.message(A, 1);
  await printed(run, 1);
  run.shell.interrupt();
  expect(await run.code).toBe(0);
  expect(await peer.receive('ack')).toEqual({ type: 'ack', delivered: 1 });
  expect(await peer.closed).toBe(1000);
});

test('a lost connection: it comes back behind its cursor, and a repeat is not printed twice', async () => {
  const run = tail('--conversation', A, '--count', '3');
  const first = await following();
  first.message(A, 1);
  first.message(A, 2);
  await printed(run, 2);
  first.close(1013, '{"retry_after_ms":700}');
  await pausedAfter(run, '1013');
  const second = await server.welcomed();
  const { id, conversations } = await second.receive('subscribe');
  expect(conversations).toEqual([{ conversation_id: A, after: 2 }]);
  second.subscribed(A, 2, id);
  second.message(A, 2);
  second.message(A, 3);
  expect(await run.code).toBe(0);
  expect(seqs(run)).toEqual([1, 2, 3]);
});

test('an expired token: --as mints another, --token stops and says what to do', async () => {
  const renewing = tail('--conversation', A, '--count', '1');
  const first = await server.peer();
  const hello = await first.receive('hello');
  renewing.clock.advance(2_000);
  first.close(4401);
  await pausedAfter(renewing, '4401');
  const second = await following();
  expect(second.hello?.token).not.toBe(hello.token);
  second.message(A, 1);
  expect(await renewing.code).toBe(0);

  const { token } = await mintToken(renewing.shell, { sub: 'bob', ttlMs: 60_000 });
  const stopping = tail('--conversation', A, '--token', token);
  (await server.peer()).close(4401);
  expect(await stopping.code).toBe(1);
  expect(stopping.shell.err).toContain('sanctum token --sub');
});

test.each([
  [4500, 'report it'],
  [4503, 'sanctum token --sub'],
])('close code %d stops it', async (code, next) => {
  const run = tail('--conversation', A);
  (await following()).close(code);
  expect(await run.code).toBe(1);
  expect(run.shell.err).toContain(next);
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
  const removed = { change: 'removed', user_id: 'bob', seq: 0, head: 0, members_version: 3 } as const;
  peer.send({ type: 'member', conversation_id: A, ...removed });
  expect(await run.code).toBe(1);
  expect(run.shell.values).toMatchObject([{ type: 'member', change: 'removed' }]);
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

test.each([
  ['no key in it\n', 'line 1 is not a key'],
  [undefined, 'ENOENT'],
])('a key file that is none (%j) is told, with how to make one', async (content, why) => {
  const file = path.join(folder, 'wrong.key');
  if (content === undefined) rmSync(file);
  else writeFileSync(file, content);
  const { shell, code } = tail('--all', '--key-file', file);
  expect(await code).toBe(1);
  expect(shell.err).toContain(why);
  expect(shell.err).toContain('openssl rand -base64 32');
});
