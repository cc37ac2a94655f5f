import {
  ensurePsql,
  ensureRedis,
  portIsFree,
  startPostgres,
  startRedis,
  workspaceDir,
} from '@sanctum/local-servers';
import { Redis } from 'ioredis';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { expectStatus, HttpClient } from '../../support/http-client.ts';
import { TestClient } from '../../support/test-client.ts';
import { mintToken } from '../../support/tokens.ts';
import { PersonAtAShell } from './person-at-a-shell.ts';
import { runbookCommands } from './runbook-commands.ts';

/*
 * The runbook's chapter Testing Locally as a person would follow it: its lines, verbatim, in one shell, from
 * `cd services/messaging` on, with no other variable set. Only the docker-compose line is replaced, by servers on
 * the same ports, and the service runs in the background, as in a second terminal. Its last block, which runs the
 * tests, is left to scripts/testing-locally.ts: here it would run itself.
 */

const POSTGRES_PORT = 5433;
const REDIS_PORT = 6380;
const SERVICE_PORT = 8083;
const ADMIN_PORT = 8084;
const PORTS_WAIT_MS = 30_000;
/** tsx compiles the service as it starts. */
const START_MS = 60_000;

const HTTP = `http://127.0.0.1:${SERVICE_PORT}`;
const WS = `ws://127.0.0.1:${SERVICE_PORT}/ws`;
const DATABASE = `postgres://postgres:postgres@127.0.0.1:${POSTGRES_PORT}/messaging_test`;

const cleanups: (() => unknown)[] = [];
let shell: PersonAtAShell;
let sql: pg.Client;
let redis: Redis;

beforeAll(async () => {
  // The chapter names its ports. Another clone may be at it on this machine just now: its turn ends soon.
  await eventually(async () => {
    for (const port of [POSTGRES_PORT, REDIS_PORT, SERVICE_PORT, ADMIN_PORT]) {
      if (await portIsFree(port)) continue;
      throw new Error(
        `the chapter needs port ${port}, and something listens there: stop it and run this again`,
      );
    }
  }, PORTS_WAIT_MS);
  const tools = await Promise.all([
    ensurePsql({ progress: () => undefined }),
    ensureRedis({ progress: () => undefined }).then(({ cli }) => cli),
  ]);
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-test-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  const postgres = await startPostgres({
    dataDir: path.join(dir, 'postgres'),
    port: POSTGRES_PORT,
    database: 'messaging_test',
    durable: false,
  });
  cleanups.push(() => postgres.stop());
  const redisServer = await startRedis({ dir: path.join(dir, 'redis'), port: REDIS_PORT });
  cleanups.push(() => redisServer.stop());
  sql = new pg.Client({ connectionString: DATABASE });
  await sql.connect();
  cleanups.push(() => sql.end());
  redis = new Redis(redisServer.url);
  cleanups.push(() => redis.disconnect());
  const folders = [
    ...tools.map((tool) => path.dirname(tool)),
    path.join(workspaceDir, 'node_modules/.bin'),
    path.dirname(process.execPath),
    process.env['PATH'] ?? '',
  ];
  shell = new PersonAtAShell({
    cwd: workspaceDir,
    env: { PATH: folders.join(path.delimiter), HOME: process.env['HOME'] ?? homedir() },
  });
  cleanups.push(() => shell.leave());
}, 120_000);

afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test(
  'every line of the chapter does what it says, and messages reach those who listen',
  async () => {
    const commands = runbookCommands()
      .filter(({ section }) => section === 'Testing Locally')
      .map(({ text }) => text);
    const testsBegin = commands.findIndex((command) => command.startsWith('pnpm vitest run'));
    expect(testsBegin).toBeGreaterThan(0);
    const [insert, ...others] = commands.filter((command) => command.includes('INSERT INTO'));
    expect(others).toEqual([]);

    const typed: string[] = [];
    let lengthShown = 0;
    for (const command of commands.slice(0, testsBegin)) {
      if (command.startsWith('docker-compose')) continue;
      if (command.startsWith('pnpm run')) {
        await shell.type(`${command} &`);
        await serviceIsReady();
      } else if (command.startsWith('redis-cli')) {
        await eventually(async () => expect(await rowsOf("status <> 'sent'")).toEqual([]));
        lengthShown = Number(await shell.type(command));
      } else {
        const lengthBefore = command === insert ? await redis.xlen('sanctum:messages') : 0;
        await shell.type(command);
        if (command === insert)
          await eventually(async () =>
            expect(await redis.xlen('sanctum:messages')).toBeGreaterThan(lengthBefore),
          );
      }
      typed.push(command.split(/\s/)[0] as string);
    }
    expect(typed).toEqual(expect.arrayContaining(['cd', 'export', 'psql', 'pnpm', 'redis-cli']));
    expect(lengthShown).toBeGreaterThan(0);

    // The inserted conversation is nobody's: only an operator can read it.
    const [row] = await rowsOf('payload = \'{"ciphertext": "test"}\'');
    const nobodys = row!.aggregate_id;
    const operator = await client('oncall', { scope: 'messaging:operate', subscribe: 'none' });
    expect(await operator.subscribe([{ conversation_id: nobodys, after: 'start' }])).toMatchObject({
      conversations: [{ conversation_id: nobodys, status: 'ok', after: 0 }],
    });
    await operator.untilMessages(nobodys, 1);
    expect(operator.received.messagesOf(nobodys)).toMatchObject([
      { seq: 1, messageId: row!.message_id, payload: { ciphertext: 'test' } },
    ]);

    // The notes behind the chapter: its id by psql, and the message by `sanctum tail`, in the root of the clone.
    const [ask, tail, ...unknown] = runbookCommands().filter(
      ({ section, text }) => section === 'Notes on Testing Locally' && !commands.includes(text),
    );
    expect(unknown).toEqual([]);
    expect(await shell.type(ask!.text)).toContain(nobodys);
    const follow = tail!.text.replace('<conversation-id>', nobodys);
    await shell.type(`cd ../..; ${follow} & TAIL=$!; cd - > /dev/null`);
    await eventually(() => expect(shell.output).toContain(`${nobodys}  #1  ${row!.message_id}`), START_MS);
    await shell.type('kill $TAIL');

    // The same INSERT into a conversation that lives.
    const alice = new HttpClient(HTTP, await token('alice'));
    cleanups.push(() => alice.close());
    const { conversation_id: id } = expectStatus(await alice.createConversation(['alice', 'bob']), 201);
    const members = [await client('alice'), await client('bob')];
    const intoIt = insert!.replace("'MessageCreated', gen_random_uuid()", `'MessageCreated', '${id}'`);
    expect(intoIt).toContain(id);
    await shell.type(intoIt);
    for (const member of members) {
      await member.untilMessages(id, 1);
      expect(member.received.messagesOf(id)).toMatchObject([
        { seq: 1, replay: 0, payload: { ciphertext: 'test' } },
      ]);
    }

    // The runbook's manual replay, by an operator's role.
    await eventually(async () => expect(await rowsOf("status <> 'sent'")).toEqual([]));
    const replay = runbookCommands()
      .filter(({ chapter, kind }) => chapter === 'Manual Message Replay' && kind === 'sql')
      .map(({ text }) => text.replaceAll('<conversation-id>', id))
      .join('\n');
    const printed = await shell.type(
      `psql -v ON_ERROR_STOP=1 $DATABASE_URL <<'EOF'\nSET ROLE sanctum_operator;\n${replay}\nEOF`,
    );
    expect(printed).toContain('UPDATE 1');
    for (const member of members) {
      await member.until(() => member.received.messagesOf(id).length === 2);
      await member.ping();
      const frames = member.received.messagesOf(id);
      expect(frames.map(({ seq, replay: number }) => [seq, number])).toEqual([
        [1, 0],
        [1, 1],
      ]);
      expect(new Set(frames.map(({ messageId }) => messageId)).size).toBe(1);
    }
    expect(operator.received.messagesOf(id)).toEqual([]);
  },
  START_MS + 30_000,
);

async function serviceIsReady(): Promise<void> {
  await eventually(async () => {
    const response = await fetch(`${HTTP}/readyz`).catch(() => undefined);
    if (response?.status !== 200)
      throw new Error(`the service is not ready; it printed\n${shell.output.slice(-2_000)}`);
  }, START_MS);
}

/** Rows of the outbox but the service's own synthetic ones. */
async function rowsOf(condition: string): Promise<{ aggregate_id: string; message_id: string }[]> {
  const { rows } = await sql.query<{ aggregate_id: string; message_id: string }>(
    `SELECT aggregate_id, message_id FROM messaging.message_outbox WHERE event_type = 'MessageCreated' AND ${condition}`,
  );
  return rows;
}

/** Signed with the development secret, which the service has made and kept. */
async function token(userId: string, scope?: string): Promise<string> {
  const secret = (await readFile(path.join(workspaceDir, '.sanctum/jwt-secret'), 'utf8')).trim();
  return mintToken({ sub: userId, ...(scope === undefined ? {} : { scope }) }, secret);
}

async function client(
  userId: string,
  { scope, subscribe = 'all' }: { scope?: string; subscribe?: 'all' | 'none' } = {},
): Promise<TestClient> {
  const connected = await TestClient.connect({ url: WS, token: await token(userId, scope), subscribe });
  cleanups.push(() => connected.terminate());
  return connected;
}
