import { connect, Conversations, memoryStorage, type Client } from '@sanctum/client';
import { keyLine, parseKeyFile, webCryptoCipher } from '@sanctum/client/webcrypto';
import { eventually } from '@sanctum/messaging/tests/support/eventually';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene, STREAM } from '@sanctum/messaging/tests/support/scene';
import { mintToken } from '@sanctum/messaging/tests/support/tokens';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Program } from './program.ts';

/** Programs that start on a busy machine take their time. */
const TIMEOUT_MS = 120_000;
const STOP_WHILE_SEALING = new URL('stop-while-sealing.mjs', import.meta.url).href;
const folder = mkdtempSync(path.join(tmpdir(), 'sanctum-examples-'));
const clients: Client[] = [];
const programs: Program[] = [];
let scene: Scene;
let pod: Pod;

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
});
afterAll(async () => {
  await Promise.all(programs.map((program) => program.end('SIGKILL')));
  await Promise.all(clients.map((client) => client.close()));
  await scene.end();
  rmSync(folder, { recursive: true, force: true });
});

function run(
  file: string,
  options: { args?: string[]; env?: Readonly<Record<string, string>> } = {},
): Program {
  const env = { SANCTUM_URL: pod.httpUrl, REDIS_URL: scene.redisUrl, ...options.env };
  const program = new Program(`examples/${file}`, { ...options, env });
  programs.push(program);
  return program;
}

async function alice(keys: string): Promise<{ client: Client; heard: string[] }> {
  const storage = memoryStorage();
  const client = await connect({
    url: pod.httpUrl,
    userId: 'alice',
    token: () => mintToken({ sub: 'alice' }),
    storage,
    cipher: webCryptoCipher({ keys: parseKeyFile(keys), storage }),
    begin: 'start',
    WebSocket,
  });
  clients.push(client);
  const heard: string[] = [];
  client.on('message', (message) => {
    if (!message.own) heard.push(message.readable ? message.text : message.reason);
  });
  return { client, heard };
}

/** What a bot of this user is started with, and the keys that it has. */
async function botOf(user: string) {
  const keys = keyLine();
  const env = {
    SANCTUM_KEY_FILE: path.join(folder, `${user}.key`),
    STATE_FILE: path.join(folder, `${user}.state`),
    TOKEN: await mintToken({ sub: user }),
  };
  writeFileSync(env.SANCTUM_KEY_FILE, keys);
  return { env, keys };
}

test('the bot answers each message once, over a kill and a restart', { timeout: TIMEOUT_MS }, async () => {
  const { env, keys } = await botOf('bot');
  const conversation = await scene.conversation(pod, ['alice', 'bot']);
  const { client, heard } = await alice(keys);
  const bot = run('node-bot/bot.ts', { env });
  await client.send(conversation, 'ping');
  await eventually(() => expect(heard).toEqual(['pong']), TIMEOUT_MS);
  await bot.end('SIGKILL');

  await client.send(conversation, 'Are you there?');
  const again = run('node-bot/bot.ts', { env });
  await eventually(() => expect(heard).toHaveLength(2), TIMEOUT_MS);
  await client.send(conversation, 'ping');
  await eventually(() => expect(heard).toHaveLength(3), TIMEOUT_MS);
  expect(heard).toEqual(['pong', 'You wrote 14 characters. Try "ping".', 'pong']);
  expect(await again.end('SIGTERM')).toBe(0);
  expect((await client.history(conversation)).head).toBe(6);
});

test('the bot ends in order, also in the middle of an answer', { timeout: TIMEOUT_MS }, async () => {
  const { env: settings, keys } = await botOf('stopped');
  const env = { ...settings, USER_ID: 'stopped' };
  const conversation = await scene.conversation(pod, ['alice', 'stopped']);
  const { client, heard } = await alice(keys);
  await client.send(conversation, 'ping');
  const stopped = run('node-bot/bot.ts', { env: { ...env, NODE_OPTIONS: `--import ${STOP_WHILE_SEALING}` } });
  expect(await stopped.ended()).toBe(0);
  expect(stopped.text).not.toMatch(/Error|answered/);

  // The next run answers. What alice has in other conversations cannot be read with this key.
  run('node-bot/bot.ts', { env });
  await eventually(() => expect(heard).toContain('pong'), TIMEOUT_MS);
});

test('the backend makes conversations and members what its file says', { timeout: TIMEOUT_MS }, async () => {
  const file = path.join(folder, 'teams.json');
  const id = '0190a1b2-7c3d-7e4f-8a5b-00000000000a';
  const sync = async (members: string[], env = {}) => {
    writeFileSync(file, JSON.stringify([{ conversation_id: id, members }]));
    const program = run('team-backend/sync-teams.ts', { args: [file], env });
    expect(await program.ended()).toBe(0);
    return program.text.trim().split('\n');
  };
  expect(await sync(['ann', 'ben'])).toEqual([`${id}: there, with ann, ben`]);
  // Once with the login that the examples have, once with a token of one's own.
  const TOKEN = await mintToken({ sub: 'team-backend', scope: 'messaging:manage' });
  expect(await sync(['ann', 'cem'], { TOKEN })).toEqual([
    `${id}: cem added, reads from #1 on`,
    `${id}: ben removed; give the others a new key`,
  ]);
  const ann = new Conversations({ url: pod.httpUrl, token: () => mintToken({ sub: 'ann' }) });
  const present = (await ann.members(id)).map(({ userId }) => userId);
  expect(present.sort()).toEqual(['ann', 'cem', 'team-backend']);
});

test(
  'the notifier pushes each message once, keeps what failed, and looks into nothing',
  { timeout: TIMEOUT_MS },
  async () => {
    const pushed: { to: string; seq: number; collapse_id: string }[] = [];
    const bodies: string[] = [];
    let isFailing = false;
    const platform = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        bodies.push(body);
        if (!isFailing) pushed.push(JSON.parse(body));
        response.writeHead(isFailing ? 503 : 204).end();
      });
    }).listen(0, '127.0.0.1');
    await once(platform, 'listening');
    const { port } = platform.address() as AddressInfo;
    const env = {
      PUSH_URL: `http://127.0.0.1:${port}`,
      CONSUMER_NAME: 'one',
      CLAIM_IDLE_MS: '200',
      TOKEN: await mintToken({ sub: 'push-notifier', scope: 'messaging:operate' }),
    };
    const notifier = run('push-notifier/notifier.ts', { env });
    await notifier.printed(/one listens/);

    const conversation = await scene.conversation(pod, ['alice', 'bob', 'carol']);
    const places = () => pushed.map(({ to, seq }) => `${to} ${seq}`).sort();
    await scene.post(pod, 'alice', conversation);
    await eventually(() => expect(places()).toEqual(['bob 1', 'carol 1']), TIMEOUT_MS);

    // What the platform does not take stays pending, and comes again.
    isFailing = true;
    await scene.post(pod, 'bob', conversation);
    await notifier.printed(/will be tried again/);
    isFailing = false;
    await eventually(() => expect(places()).toEqual(['alice 2', 'bob 1', 'carol 1', 'carol 2']), TIMEOUT_MS);

    // Neither an operator's replay nor a copy is news.
    await scene.replay(conversation);
    await eventually(async () => expect(await scene.onStream(conversation)).toHaveLength(4));
    const [entry] = await scene.onStream(conversation);
    await scene.redis.xadd(STREAM, '*', ...Object.entries({ ...entry, resent: '1' }).flat());
    await scene.post(pod, 'carol', conversation);
    await eventually(() => expect(places()).toContain('bob 3'), TIMEOUT_MS);
    await eventually(async () => {
      expect(((await scene.redis.xpending(STREAM, 'push-notifier')) as [number])[0]).toBe(0);
    }, TIMEOUT_MS);
    expect(places()).toEqual(['alice 2', 'alice 3', 'bob 1', 'bob 3', 'carol 1', 'carol 2']);
    expect(bodies.join('')).not.toContain('ciphertext');
    expect(await notifier.end('SIGTERM')).toBe(0);
    platform.close();
  },
);
