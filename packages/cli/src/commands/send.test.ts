import { memoryStorage } from '@sanctum/client';
import { keyLine, parseKeyFile, SCHEME, webCryptoCipher } from '@sanctum/client/webcrypto';
import { problem, type Problem } from '@sanctum/protocol';
import type { PostMessageBody } from '@sanctum/protocol/schemas';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ATTEMPTS_MAX } from '../call-service.ts';
import { runCli } from '../cli.ts';
import { A, B, JWT_ENV } from '../tests/ids.ts';
import { type ScriptedAnswer, ScriptedHttpServer } from '../tests/scripted-http-server.ts';
import { TestShell, type TestShellOptions } from '../tests/test-shell.ts';
import { mintToken } from '../tokens.ts';

const POSTED = {
  message_id: B,
  conversation_id: A,
  seq: 7,
  epoch: 1,
  occurred_at: '2025-02-03T04:05:06.789Z',
};
const sent: ScriptedAnswer = { status: 201, body: POSTED };
const refused = (problemOf: Problem): ScriptedAnswer => ({ status: problemOf.status, body: problemOf });
const busy = (retryAfterMs?: number): ScriptedAnswer =>
  refused(problem('overloaded', retryAfterMs === undefined ? {} : { retryAfterMs }));

let server: ScriptedHttpServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

interface Sent {
  readonly code: number;
  readonly shell: TestShell;
  readonly calls: ScriptedHttpServer['calls'];
}

async function send(
  script: ScriptedAnswer[],
  args: string[] = [],
  options?: TestShellOptions,
): Promise<Sent> {
  server = await ScriptedHttpServer.start(...script);
  const shell = new TestShell({ env: JWT_ENV, ...options });
  const to = [
    '--url',
    server.url,
    ...(args.includes('--token') ? [] : ['--token', 'a.b.c']),
    ...(args.includes('--create') ? [] : ['--conversation', A]),
  ];
  const ciphertext =
    args.some((arg) => /^--(?:file|ciphertext|text)$/.test(arg)) || options?.stdin !== undefined;
  const what = ciphertext ? [] : ['--ciphertext', 'c2VhbGVk'];
  const code = await runCli(['send', ...to, ...what, ...args], shell);
  return { code, shell, calls: server.calls };
}

test('it posts the ciphertext and prints where it went', async () => {
  const { code, shell, calls } = await send([sent], ['--scheme', 'mls', '--key-id', 'k1', '--message-id', B]);
  expect(code).toBe(0);
  expect(calls).toEqual([
    {
      path: `/v1/conversations/${A}/messages`,
      authorization: 'Bearer a.b.c',
      body: { message_id: B, ciphertext: 'c2VhbGVk', encryption: { scheme: 'mls', key_id: 'k1' } },
    },
  ]);
  expect(shell.out).toContain('seq           7');
  expect(shell.err).toContain('does not encrypt');
});

test('with a key file it encrypts: a reader with the key opens it, and nobody sees the text', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-cli-'));
  const env = { ...JWT_ENV, SANCTUM_KEY_FILE: path.join(dir, 'chat.key') };
  try {
    const line = keyLine('2026-03');
    await writeFile(env.SANCTUM_KEY_FILE, line);
    const { token } = await mintToken(new TestShell({ env }), { sub: 'alice', ttlMs: 60_000 });
    const { code, shell, calls } = await send([sent], ['--token', token, '--text', 'Hello, Bob.'], { env });
    expect([code, shell.err]).toEqual([0, '']);
    const [call] = calls;
    const { message_id, ciphertext, encryption } = call!.body as unknown as PostMessageBody;
    expect(encryption).toEqual({ scheme: SCHEME, key_id: '2026-03' });
    const cipher = webCryptoCipher({ keys: parseKeyFile(line), storage: memoryStorage() });
    const sealed = { ciphertext: Buffer.from(ciphertext, 'base64'), scheme: SCHEME, keyId: '2026-03' };
    const context = { conversationId: A, sender: 'alice', messageId: message_id };
    const { plaintext } = await cipher.decrypt(sealed, context);
    expect(new TextDecoder().decode(plaintext)).toBe('Hello, Bob.');
    expect(JSON.stringify(calls) + shell.out).not.toContain('Hello');
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('for programs it prints the answer', async () => {
  const again = { ...sent, status: 200, headers: { 'Idempotent-Replay': 'true' } };
  const { shell } = await send([again], ['--json']);
  expect(shell.values).toEqual([{ ...POSTED, repeated: true }]);
  expect(shell.err).toBe('');
});

test('bytes come from standard input', async () => {
  const { calls } = await send([sent], [], { stdin: 'sealed' });
  expect(calls[0]?.body).toMatchObject({ ciphertext: 'c2VhbGVk' });
});

test('bytes come from a file; one that is missing or empty is told', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-cli-'));
  try {
    await writeFile(path.join(dir, 'full'), Buffer.from([0xff, 0x00]));
    await writeFile(path.join(dir, 'empty'), '');
    const { calls } = await send([sent], ['--file', path.join(dir, 'full')]);
    expect(calls[0]?.body).toMatchObject({ ciphertext: '/wA=' });
    await server?.stop();
    const empty = await send([], ['--file', path.join(dir, 'empty')]);
    expect([empty.code, empty.shell.err]).toEqual([1, expect.stringContaining('is empty')]);
    await server?.stop();
    const missing = await send([], ['--file', path.join(dir, 'missing')]);
    expect([missing.code, missing.shell.err]).toEqual([1, expect.stringContaining('ENOENT')]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('--create makes the conversation first', async () => {
  const created = { status: 201, body: { conversation_id: A, owner: 'alice', head: 0, members_version: 2 } };
  const { code, calls } = await send([created, sent], ['--create', '--member', 'bob', '--member', 'carol']);
  expect(code).toBe(0);
  const { conversation_id, members } = calls[0]?.body ?? {};
  expect([calls[0]?.path, members]).toEqual(['/v1/conversations', ['bob', 'carol']]);
  expect(calls[1]?.path).toBe(`/v1/conversations/${String(conversation_id)}/messages`);
});

test('a busy service is tried again with the same message_id, after the pause it asks for', async () => {
  const { code, shell, calls } = await send([
    busy(300),
    refused(problem('rate_limited', { retryAfterMs: 50 })),
    sent,
  ]);
  expect(code).toBe(0);
  expect(shell.clock.slept).toEqual([300, 50]);
  expect(new Set(calls.map(({ body }) => body['message_id'])).size).toBe(1);
  expect(calls).toHaveLength(3);
});

test('a proxy that knows only Retry-After is obeyed', async () => {
  const { shell } = await send([{ status: 503, headers: { 'Retry-After': '2' }, body: 'busy' }, sent]);
  expect(shell.clock.slept).toEqual([2000]);
});

test('a lost connection is tried again: the message is stored once', async () => {
  const { code, calls } = await send([{ status: 0, cut: true }, sent]);
  expect(code).toBe(0);
  expect(calls[0]?.body).toEqual(calls[1]?.body);
});

test('it gives up after some attempts, and says how to go on with the same message', async () => {
  const { code, shell, calls } = await send(Array.from({ length: ATTEMPTS_MAX }, () => busy(10)));
  expect([code, calls.length]).toEqual([1, ATTEMPTS_MAX]);
  expect(shell.err).toContain(`--message-id ${String(calls[0]?.body['message_id'])}`);
});

test('a pause of an hour is not waited for', async () => {
  const { code, shell } = await send([busy(3_600_000)]);
  expect([code, shell.clock.slept]).toEqual([1, []]);
});

test('a refusal is told with its code and what to do', async () => {
  const { code, shell } = await send([refused(problem('conversation_not_found'))]);
  expect(code).toBe(1);
  expect(shell.err).toContain('There is no such conversation (404 conversation_not_found)');
  expect(shell.err).toContain('--create');
});

test('something else that answers is not taken for the service', async () => {
  const { code, shell } = await send([{ status: 404, body: { hello: 'there' } }]);
  expect([code, shell.err]).toEqual([
    1,
    expect.stringContaining('is not the messaging service (status 404)'),
  ]);
});

test('where nothing answers, it asks whether `npm start` is running', async () => {
  const url = `http://127.0.0.1:${await unusedPort()}`;
  const shell = new TestShell({ env: JWT_ENV });
  const args = ['send', '--url', url, '--as', 'alice', '--conversation', A, '--ciphertext', 'c2VhbGVk'];
  expect(await runCli(args, shell)).toBe(1);
  expect(shell.err).toContain(`nothing answers at ${url}: is \`npm start\` running?`);
});

async function unusedPort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
