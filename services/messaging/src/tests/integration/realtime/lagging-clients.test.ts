import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { HttpClient } from '../../support/http-client.ts';
import { type PodProcess, spawnPod } from '../../support/pod.ts';
import { freshDatabase, freshRedis } from '../../support/servers.ts';
import { TestClient } from '../../support/test-client.ts';
import { mintToken } from '../../support/tokens.ts';

const BACKLOG = 100_000;
const READERS = 10;
const PHASE_MESSAGES = 1_000;
const PHASE_IN_FLIGHT = 4;
const CIPHERTEXT_BYTES = 8 * 1024;
const RSS_GROWTH_MAX_BYTES = 50 * 1024 * 1024;

let pod: PodProcess | undefined;
afterEach(() => pod?.kill('SIGKILL'));

test(
  'a client 100,000 messages behind, one that stops reading and one that never acks cost the others nothing',
  { timeout: 180_000 },
  async () => {
    const postgresUrl = await freshDatabase();
    pod = await spawnPod({ postgresUrl, redisUrl: await freshRedis() });
    const database = new pg.Client(postgresUrl);
    await database.connect();
    const owner = new HttpClient(pod.httpUrl, await mintToken({ sub: 'owner' }));
    const busy = randomUUID();
    const long = randomUUID();
    const users = [...Array.from({ length: READERS }, (_, n) => `reader-${n}`), 'stopped', 'silent'];
    await owner.createConversation(users, busy);
    await owner.createConversation(['late'], long);
    await append(database, long, BACKLOG);
    await eventually(async () => expect(await pendingRows(database)).toBe(0), 60_000);

    const connect = async (sub: string, more: Partial<ConstructorParameters<typeof TestClient>[0]> = {}) =>
      TestClient.connect({ url: pod!.wsUrl, token: await mintToken({ sub }), validate: false, ...more });
    const readers = await Promise.all(users.slice(0, READERS).map((sub) => connect(sub)));

    const control = await phase(owner, busy, readers);
    const rssBefore = await rssBytes(pod.pid);
    let rssMost = rssBefore;
    const stopped = await connect('stopped', { credit: 1024 });
    stopped.pauseReading();
    const silent = await connect('silent', { autoAck: false });
    const late = readInOwnProcess(pod.wsUrl, await mintToken({ sub: 'late' }), long);
    let isCaughtUp = false;
    void late.then(() => (isCaughtUp = true));
    let disturbed: number[] = [];
    do {
      disturbed = [...disturbed, ...(await phase(owner, busy, readers))];
      rssMost = Math.max(rssMost, await rssBytes(pod.pid));
    } while (!isCaughtUp);

    expect(await late).toEqual({ count: BACKLOG, isContiguous: true, faults: [] });
    for (const reader of readers) expect(reader.received.faults).toEqual([]);
    // Neither was sent more than it may have: its credit, or what its socket holds.
    expect(silent.received.messages.length).toBe(256);
    expect(rssMost - rssBefore).toBeLessThanOrEqual(RSS_GROWTH_MAX_BYTES);
    console.log(
      `p99 of the others: ${percentile(control, 0.99).toFixed(1)} ms alone, ${percentile(disturbed, 0.99).toFixed(1)} ms beside them ` +
        `(p50 ${percentile(control, 0.5).toFixed(1)} and ${percentile(disturbed, 0.5).toFixed(1)}); ` +
        `RSS grew by ${((rssMost - rssBefore) / 2 ** 20).toFixed(1)} MB from ${(rssBefore / 2 ** 20).toFixed(0)} MB`,
    );
    stopped.terminate();
    await Promise.all([...readers, silent].map((client) => client.close()));
    owner.close();
    await database.end();
  },
);

/** Posts a number of messages; for each, the milliseconds from the request to the frame at the last reader. */
async function phase(
  owner: HttpClient,
  conversationId: string,
  readers: readonly TestClient[],
): Promise<number[]> {
  const latencies: number[] = [];
  let begun = 0;
  const worker = async () => {
    while (begun < PHASE_MESSAGES) {
      begun += 1;
      const startedAt = performance.now();
      const answer = await owner.postMessage(conversationId, {
        ciphertext: randomBytes(CIPHERTEXT_BYTES).toString('base64'),
      });
      await Promise.all(
        readers.map((reader) =>
          reader.until(() => (reader.cursorOf(conversationId) ?? 0) >= answer.body.seq, 30_000),
        ),
      );
      latencies.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: PHASE_IN_FLIGHT }, worker));
  return latencies;
}

const READER = fileURLToPath(new URL('../../support/reader-process.ts', import.meta.url));

async function readInOwnProcess(url: string, token: string, conversationId: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    READER,
    url,
    token,
    conversationId,
  ]);
  return JSON.parse(stdout);
}

async function append(database: pg.Client, conversationId: string, count: number): Promise<void> {
  const piece = 5_000;
  for (let done = 0; done < count; done += piece) {
    await database.query(
      `SELECT count(*) FROM messaging.append_messages(
         array_fill($1::uuid, ARRAY[$2::int]), ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $2)),
         ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $2)), array_fill('owner'::text, ARRAY[$2::int]),
         array_fill($3::text, ARRAY[$2::int]), array_fill('\\x00'::bytea, ARRAY[$2::int]), true)`,
      [
        conversationId,
        piece,
        JSON.stringify({ ciphertext: randomBytes(192).toString('base64'), sender: 'owner' }),
      ],
    );
  }
}

async function pendingRows(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ pending: number }>(
    `SELECT count(*)::int AS pending FROM messaging.message_outbox WHERE status = 'pending' AND event_type <> 'SyntheticProbe'`,
  );
  return rows[0]!.pending;
}

async function rssBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!;
}
