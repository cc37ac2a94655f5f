import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { PostgresBackgroundJobs } from '../../../adapters/postgres/background-jobs.ts';
import { PostgresOperations } from '../../../adapters/postgres/operations.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { eventually } from '../../support/eventually.ts';
import { startPod } from '../../support/pod.ts';
import { scrape } from '../../support/scrape.ts';
import { freshDatabase, freshRedis } from '../../support/servers.ts';
import { dayPartitions, partitionOfDay, storePast } from '../schema/past.ts';
import { prompt } from '../schema/prompt.ts';

function boardOf(url: string, pod: string, options: { pruneUrl?: string } = {}) {
  const connect = (to: string) => {
    const pool = new PostgresPool({
      url: to,
      applicationName: 'test',
      maxConnections: 4,
      callTimeoutMs: 20_000,
    });
    onTestFinished(() => pool.end());
    return pool;
  };
  const pool = connect(url);
  return new PostgresBackgroundJobs({
    pool,
    prunePool: connect(options.pruneUrl ?? url),
    operations: new PostgresOperations(pool),
    pod,
    retention: { outboxDays: 7, dlqDays: 30 },
  });
}

async function rowOf(client: pg.Client, job: string) {
  const { rows } = await client.query(
    `SELECT last_pod, last_count, last_error, failures, run_id IS NULL AS is_free,
       extract(epoch FROM due_at - greatest(last_succeeded_at, last_failed_at))::int AS wait_s
     FROM messaging.background_jobs WHERE job = $1`,
    [job],
  );
  return rows[0] as Record<string, unknown>;
}

test('two pods at once prune once: floors first, then the day', async () => {
  const url = await freshDatabase();
  const client = await prompt(url);
  const id = randomUUID();
  for (const daysAgo of [8, 9])
    await storePast(client, { conversationId: id, seqs: [10 - daysAgo], daysAgo });
  const [one, other] = [boardOf(url, 'pod-1'), boardOf(url, 'pod-2')];
  const runs = await Promise.all([one.run('prune_outbox'), other.run('prune_outbox')]);
  expect(runs.map((run) => run.kind).sort()).toEqual(['done', 'not_now']);
  expect(runs.find((run) => run.kind === 'done')).toEqual({ kind: 'done', count: 2 });
  expect(await dayPartitions(client)).toHaveLength(4);
  const { rows } = await client.query('SELECT floor_seq::int AS floor FROM messaging.conversation');
  expect(rows).toEqual([{ floor: 2 }]);
  expect(await rowOf(client, 'prune_outbox')).toMatchObject({
    last_count: 2,
    last_error: null,
    failures: 0,
    is_free: true,
    wait_s: 3600,
  });
  expect(await other.run('prune_outbox')).toEqual({ kind: 'not_now' });
  expect((await one.read()).jobs.filter(({ isDue }) => isDue).map(({ job }) => job)).toEqual([
    'partitions',
    'prune_dlq',
    'prune_records',
  ]);
});

test('a prune that finds a day in use fails in its time, says why, and is tried again', async () => {
  const url = await freshDatabase();
  const client = await prompt(url);
  const partition = await storePast(client, { conversationId: randomUUID(), seqs: [1], daysAgo: 9 });
  const reader = await prompt(url);
  await reader.query(`BEGIN; SELECT count(*) FROM messaging.${partition}`);
  const pruneUrl = new URL(url);
  pruneUrl.searchParams.set('options', '-c statement_timeout=800');
  const board = boardOf(url, 'pod-1', { pruneUrl: pruneUrl.href });
  await expect(board.run('prune_outbox')).rejects.toThrow('in prune-outbox');
  expect(await rowOf(client, 'prune_outbox')).toMatchObject({
    last_error: expect.stringMatching(/^postgres: .* in prune-outbox$/),
    failures: 1,
    is_free: true,
    wait_s: 10,
  });
  await reader.query('COMMIT');
  await client.query('UPDATE messaging.background_jobs SET due_at = now()');
  expect(await board.run('prune_outbox')).toEqual({ kind: 'done', count: 1 });
  expect(await rowOf(client, 'prune_outbox')).toMatchObject({ last_error: null, failures: 0 });
});

test('what a pod that died was at is taken over when its time is over', async () => {
  const url = await freshDatabase();
  const client = await prompt(url);
  await client.query(
    `UPDATE messaging.background_jobs SET run_id = gen_random_uuid(), last_pod = 'dead', taken_until = now() + interval '1 minute'`,
  );
  const board = boardOf(url, 'pod-1');
  expect(await board.run('partitions', { always: true })).toEqual({ kind: 'not_now' });
  await client.query(`UPDATE messaging.background_jobs SET taken_until = now() - interval '1 second'`);
  expect(await board.run('partitions')).toEqual({ kind: 'done', count: 0 });
  expect(await rowOf(client, 'partitions')).toMatchObject({ last_pod: 'pod-1' });
});

test('given up at the end of a pod, a prune goes on elsewhere when the server is surely done with it', async () => {
  const url = await freshDatabase();
  const client = await prompt(url);
  const partition = await storePast(client, { conversationId: randomUUID(), seqs: [1], daysAgo: 9 });
  const reader = await prompt(url);
  await reader.query(`BEGIN; SELECT count(*) FROM messaging.${partition}`);
  const ending = new AbortController();
  const running = boardOf(url, 'pod-1').run('prune_outbox', { signal: ending.signal });
  await eventually(async () => {
    const { rows } = await client.query(
      `SELECT FROM pg_stat_activity WHERE query LIKE 'CALL messaging.prune%'`,
    );
    expect(rows).toHaveLength(1);
  });
  ending.abort();
  await expect(running).rejects.toThrow();
  expect(await rowOf(client, 'prune_outbox')).toMatchObject({ is_free: false, failures: 0 });
  await reader.query('COMMIT');
});

test('of operators’ work nothing stays for ever but the record of it', async () => {
  const url = await freshDatabase();
  const client = await prompt(url);
  await client.query(`
    INSERT INTO messaging.operator_job (job_id, kind, state, total, started_by, pod, started_at, updated_at)
      SELECT gen_random_uuid(), 'replay', state, 1, 'ops', age, now() - age::interval, now() - last::interval
      FROM (VALUES ('done', '31 days', '31 days'), ('running', '40 days', '31 days'), ('done', '29 days', '29 days'),
                   ('running', '31 days', '1 second')) j (state, age, last);
    INSERT INTO messaging.pod_figures (instance, seen_at, figures)
      VALUES (gen_random_uuid(), now() - interval '2 hours', '{}'), (gen_random_uuid(), now(), '{}');
    INSERT INTO messaging.operator_audit (at, operator, action, target) VALUES (now() - interval '2 years', 'ops', 'x', 'y')`);
  expect(await boardOf(url, 'pod-1').run('prune_records')).toEqual({ kind: 'done', count: undefined });
  const { rows } =
    await client.query(`SELECT (SELECT array_agg(pod ORDER BY pod) FROM messaging.operator_job) AS jobs,
    (SELECT count(*)::int FROM messaging.pod_figures) AS pods, (SELECT count(*)::int FROM messaging.operator_audit) AS audit`);
  expect(rows).toEqual([{ jobs: ['29 days', '31 days'], pods: 1, audit: 1 }]);
});

test('who left is forgotten after a week, and joins anew behind the head', async () => {
  const url = await freshDatabase();
  const client = await prompt(url);
  const id = randomUUID();
  await client.query(`SELECT messaging.create_conversation($1, 'olga', '{olga,mia,rita,sam}', '')`, [id]);
  for (const userId of ['mia', 'rita', 'sam'])
    await client.query(`SELECT messaging.remove_member($1, 'olga', false, $2)`, [id, userId]);
  await client.query(`SELECT messaging.add_member($1, 'olga', false, 'sam')`, [id]);
  await client.query(
    `UPDATE messaging.conversation_member
     SET left_at = now() - CASE user_id WHEN 'rita' THEN interval '6 days' ELSE interval '8 days' END`,
  );
  await boardOf(url, 'pod-1').run('prune_records');
  const { rows } = await client.query(
    `SELECT array_agg(user_id ORDER BY user_id) AS users FROM messaging.conversation_member`,
  );
  expect(rows).toEqual([{ users: ['olga', 'rita', 'sam'] }]);
  await client.query('UPDATE messaging.conversation SET last_seq = 5');
  const again = await client.query(
    `SELECT outcome, joined::int, version::int FROM messaging.add_member($1, 'olga', false, 'mia')`,
    [id],
  );
  expect(again.rows).toEqual([{ outcome: 'added', joined: 6, version: 6 }]);
});

test('a prune by hand beside the job is no fault: both end well', async () => {
  const url = await freshDatabase();
  const client = await prompt(url);
  const id = randomUUID();
  for (const [index, daysAgo] of [14, 13, 12, 11, 10, 9, 8].entries())
    await storePast(client, { conversationId: id, seqs: [index + 1], daysAgo });
  const byHand = await prompt(url);
  const [run] = await Promise.all([
    boardOf(url, 'pod-1').run('prune_outbox'),
    byHand.query(`CALL messaging.prune_message_outbox(INTERVAL '7 days')`),
  ]);
  expect(run.kind).toBe('done');
  expect(await dayPartitions(client)).toHaveLength(4);
});

test('a pod makes partitions as it starts, and says how things stand', async () => {
  const [postgresUrl, redisUrl] = await Promise.all([freshDatabase(), freshRedis()]);
  const client = await prompt(postgresUrl);
  await client.query(`DROP TABLE messaging.${(await dayPartitions(client)).at(-1)}`);
  await partitionOfDay(client, 9);
  const pod = await startPod({ postgresUrl, redisUrl });
  onTestFinished(() => pod.stop());
  expect(await dayPartitions(client)).toHaveLength(5);
  const metrics = await scrape(pod.httpUrl);
  expect(
    metrics.get('messaging_background_job_last_success_timestamp_seconds{task="partitions"}'),
  ).toBeGreaterThan(1_700_000_000);
});
