import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { migrate, migrationNames } from '../../../adapters/postgres/migrate.ts';
import type { OperatorState } from '../../../operations/control-watch.ts';
import type { ReaderLog, UserSnapshot } from '../../../ports.ts';
import { eventually } from '../../support/eventually.ts';
import { HttpClient } from '../../support/http-client.ts';
import { startPod } from '../../support/pod.ts';
import { programOf } from '../../support/program.ts';
import { emptyDatabase, freshDatabase, freshRedis } from '../../support/servers.ts';
import { execute } from '../../support/test-database.ts';
import { TestClient } from '../../support/test-client.ts';
import { mintToken } from '../../support/tokens.ts';
import { prompt } from './prompt.ts';
import { migrationFile } from './psql.ts';

/** The newest migration that the first published build knew: what a pod of it runs on. */
const FIRST_BUILD = '20250205_dead_letters_and_retention';
const MAIN = 'services/messaging/src/main.ts';
const ERRORS_MAX_SHARE = 0.01;
const CONVERSATIONS = 10;
const WORKERS = 6;

async function databaseUpTo(newest: string): Promise<string> {
  const url = await emptyDatabase();
  for (const name of migrationNames.filter((each) => each <= newest))
    await execute(url, await readFile(migrationFile(name), 'utf8'));
  return url;
}

/**
 * Has everybody work until the migrations are done, and as long again; two runners apply them at once. Returns how
 * much was done and how much of it failed.
 */
async function migrateUnder(url: string, work: (turn: number) => Promise<void>) {
  let [done, failed] = [0, 0];
  let going = true;
  const worker = async (first: number) => {
    for (let turn = first; going; turn += WORKERS) {
      await work(turn).catch(() => (failed += 1));
      done += 1;
    }
  };
  const until = (count: number) => eventually(() => expect(done).toBeGreaterThanOrEqual(count), 20_000);
  const working = Promise.all(Array.from({ length: WORKERS }, (_, n) => worker(n)));
  await until(100);
  const before = done;
  const runs = await Promise.all([migrate(url), migrate(url)]);
  const meanwhile = done - before;
  await until(done + Math.max(200, meanwhile));
  going = false;
  await working;
  return { applied: runs.flatMap(({ applied }) => applied), done, failed, meanwhile };
}

test('from the first schema to the newest, while operators insert, read and replay', async () => {
  const url = await databaseUpTo(migrationNames[0]!);
  const conversations = Array.from({ length: CONVERSATIONS }, () => randomUUID());
  const hands = await Promise.all(
    Array.from({ length: WORKERS }, () => prompt(url, { role: 'sanctum_operator' })),
  );
  // Some that were there before.
  await execute(
    url,
    `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
     SELECT gen_random_uuid(), gen_random_uuid(), 'MessageCreated', gen_random_uuid(), '{"ciphertext": "dGVzdA=="}'
     FROM generate_series(1, 2000)`,
  );
  const insert = (client: pg.Client, conversationId: string) =>
    client.query(
      `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
       VALUES (gen_random_uuid(), gen_random_uuid(), 'MessageCreated', $1, '{"ciphertext": "dGVzdA=="}')`,
      [conversationId],
    );
  const inserted = new Map<string, number>();
  const result = await migrateUnder(url, async (turn) => {
    const client = hands[turn % WORKERS]!;
    const conversationId = conversations[turn % CONVERSATIONS]!;
    await insert(client, conversationId);
    inserted.set(conversationId, (inserted.get(conversationId) ?? 0) + 1);
    await client.query(
      `SELECT id, message_id, payload FROM messaging.message_outbox WHERE aggregate_id = $1 AND status = 'sent'`,
      [conversationId],
    );
    await client.query(
      `UPDATE messaging.message_outbox SET status = 'pending', attempts = 0, dispatched_at = NULL
       WHERE aggregate_id = $1 AND occurred_at > NOW() - INTERVAL '100 milliseconds'`,
      [conversationId],
    );
  });
  expect(result.applied).toEqual(migrationNames.slice(1));
  expect(result.failed / result.done).toBeLessThan(ERRORS_MAX_SHARE);
  const client = await prompt(url);
  const { rows } = await client.query(
    `SELECT aggregate_id AS id, count(*)::int AS count, max(seq)::int AS head FROM messaging.message_outbox
     WHERE aggregate_id = ANY ($1) GROUP BY 1`,
    [conversations],
  );
  expect(rows).toHaveLength(CONVERSATIONS);
  for (const { id, count, head } of rows)
    expect([id, count, head]).toEqual([id, inserted.get(id), inserted.get(id)]);
});

/** Users by statements that the first build had: of these conversations, which are all that there are. */
function readingUsersApart(reader: ReaderLog, conversations: readonly string[]): ReaderLog {
  const snapshotOf = async (userId: string): Promise<UserSnapshot> => {
    const versions = await reader.readUserVersions([userId]);
    const answers = await reader.readMembers(
      conversations.map((conversationId) => ({ conversationId, userIds: [userId] })),
    );
    const { heads } = await reader.readHeads(conversations);
    const memberships = answers.flatMap((answer) => {
      const membership = answer?.members.get(userId);
      const head = membership && heads.get(membership.conversationId);
      return head === undefined
        ? []
        : [{ ...membership!, ...head, present: membership!.leftSeq === undefined }];
    });
    return { version: versions.get(userId)!, memberships };
  };
  return {
    readPages: (requests) => reader.readPages(requests),
    readReplays: (requests) => reader.readReplays(requests),
    readHeads: (ids) => reader.readHeads(ids),
    readMembers: (requests) => reader.readMembers(requests),
    readUserVersions: (userIds) => reader.readUserVersions(userIds),
    readEpoch: () => reader.readEpoch(),
    readUsers: async (userIds) => ({
      epoch: await reader.readEpoch(),
      users: await Promise.all(userIds.map(snapshotOf)),
    }),
  };
}

const NOTHING_DECIDED: OperatorState = { controls: [], revocations: [], newest: 0 };

test('from the schema of the first build to the newest, while a pod takes and delivers messages', async () => {
  const url = await databaseUpTo(FIRST_BUILD);
  const conversations = Array.from({ length: CONVERSATIONS }, () => randomUUID());
  const pod = await startPod({
    postgresUrl: url,
    redisUrl: await freshRedis(),
    overrides: {
      // That build knew of no pauses and revocations; this one would not start without being able to read them.
      operatorState: () => ({ readState: async () => NOTHING_DECIDED }),
      // … nor of when somebody left, which this one asks for at each hello.
      reader: (reader) => readingUsersApart(reader, conversations),
    },
  });
  onTestFinished(() => pod.stop());
  const http = new HttpClient(pod.httpUrl, await mintToken({ sub: 'olga' }));
  onTestFinished(() => http.close());
  for (const id of conversations)
    expect((await http.createConversation(['olga', 'mia'], id)).status).toBe(201);
  const reader = await TestClient.connect({ url: pod.wsUrl, token: await mintToken({ sub: 'mia' }) });
  onTestFinished(() => reader.close());

  const heads = new Map<string, number>();
  const result = await migrateUnder(url, async (turn) => {
    const id = conversations[turn % CONVERSATIONS]!;
    const { status, body } = await http.postMessage(id);
    if (status !== 201) throw new Error(String(status));
    heads.set(id, Math.max(heads.get(id) ?? 0, body.seq));
    if (turn % 10 === 0 && (await http.history(id, { limit: 10 })).status !== 200) throw new Error('history');
  });
  expect(result.applied).toEqual(migrationNames.filter((name) => name > FIRST_BUILD));
  expect(result.failed / result.done).toBeLessThan(ERRORS_MAX_SHARE);
  await reader.until(() => conversations.every((id) => (reader.cursorOf(id) ?? 0) >= heads.get(id)!), 20_000);
  expect(reader.received.faults).toEqual([]);
});

test('a pod does not start on a schema that a newer build has made, and says why', async () => {
  const url = await freshDatabase();
  await execute(
    url,
    `INSERT INTO messaging.schema_migration (name, checksum) VALUES ('29990101_later', 'x')`,
  );
  const env = {
    ...process.env,
    POSTGRES_URL: url,
    REDIS_URL: 'redis://127.0.0.1:1',
    HTTP_PORT: '0',
    ADMIN_PORT: '0',
  };
  const starting = promisify(execFile)(process.execPath, [await programOf(MAIN)], { env });
  await expect(starting).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^the service could not start: the database is newer than this build: it has migration 29990101_later, .*\n$/,
    ),
  });
});
