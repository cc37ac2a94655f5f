import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { PostgresDeadLetters } from '../../../adapters/postgres/dead-letters.ts';
import { OperatorJobs } from '../../../adapters/postgres/operator-jobs.ts';
import { startReplay, startRequeue } from '../../../adapters/postgres/operator-work.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { PostgresReplayLog } from '../../../adapters/postgres/replay-log.ts';
import { systemClock } from '../../../clock.ts';
import { silentLog } from '../../../log.ts';
import { eventually } from '../../support/eventually.ts';
import { freshDatabase } from '../../support/servers.ts';
import { prompt } from '../schema/prompt.ts';

test('however many jobs are begun, one piece is done at a time, and one too many is refused', async () => {
  const url = await freshDatabase();
  const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 2, callTimeoutMs: 20_000 });
  onTestFinished(() => pool.end());
  const end = new AbortController();
  const jobs = new OperatorJobs({ pool, clock: systemClock, log: silentLog, pod: 'pod', end: end.signal });
  let atOnce = 0;
  let mostAtOnce = 0;
  let begun = 0;
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const start = () =>
    jobs.start({
      kind: 'replay',
      by: 'ops',
      total: 2,
      target: 'all',
      parameters: {},
      first: 1,
      piece: async (_session, from: number) => {
        begun += 1;
        mostAtOnce = Math.max(mostAtOnce, (atOnce += 1));
        await gate;
        atOnce -= 1;
        return { done: 1, ...(from < 2 && { next: from + 1 }) };
      },
    });
  const started = await Promise.all(Array.from({ length: 20 }, start));
  await expect(start()).rejects.toMatchObject({ code: 'contention' });
  expect(begun).toBe(1);
  open();
  await jobs.settled();
  expect(mostAtOnce).toBe(1);
  for (const { job_id: jobId } of started)
    expect(await jobs.get(jobId)).toMatchObject({ state: 'done', done: 2 });
  await eventually(async () => expect((await start()).state).toBe('running'));
  end.abort();
  await jobs.settled();
  expect((await jobs.list())[0]).toMatchObject({
    state: 'stopped',
    error: 'ended with the process that ran it',
  });
});

test.each(['replay', 'requeue'] as const)(
  'a %s goes on behind rows that somebody else is just setting',
  async (kind) => {
    const url = await freshDatabase();
    const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 2, callTimeoutMs: 20_000 });
    onTestFinished(() => pool.end());
    const { signal } = new AbortController();
    const jobs = new OperatorJobs({ pool, clock: systemClock, log: silentLog, pod: 'pod', end: signal });
    const [operator, onlooker] = [await prompt(url), await prompt(url)];
    const conversationId = randomUUID();
    const [total, theirs] = [1200, 500];
    await operator.query(
      `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
       SELECT gen_random_uuid(), gen_random_uuid(), 'Test', $1, '{}' FROM generate_series(1, $2::int)`,
      [conversationId, total],
    );
    await operator.query(`UPDATE messaging.message_outbox SET status = $2 WHERE aggregate_id = $1`, [
      conversationId,
      kind === 'replay' ? 'sent' : 'dead',
    ]);
    const asked = { by: 'ops', reason: undefined };
    const start = async () => {
      if (kind === 'replay') {
        const replays = new PostgresReplayLog(pool);
        const range = { conversationId, since: 0, until: Date.now() + 60_000 };
        return startReplay({ jobs, replays }, { ...asked, range, estimate: await replays.estimate(range) });
      }
      const deadLetters = new PostgresDeadLetters(pool);
      const filter = { conversationId };
      const estimate = await deadLetters.estimate('row', filter);
      return startRequeue({ jobs, deadLetters }, { ...asked, kind: 'row', filter, estimate });
    };

    await operator.query('BEGIN');
    await operator.query(
      `UPDATE messaging.message_outbox SET status = 'pending' WHERE aggregate_id = $1 AND seq <= $2`,
      [conversationId, theirs],
    );
    const { job_id: jobId } = await start();
    await eventually(async () => {
      const { rows } = await onlooker.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      expect(rows).toHaveLength(1);
    });
    await operator.query('COMMIT');
    await jobs.settled();
    const job = await jobs.get(jobId);
    expect(job).toMatchObject({ state: 'done', total, done: total - theirs });
    // Of the piece that waited.
    expect(job!.skipped).toBeGreaterThan(0);
    const { rows } = await onlooker.query(
      `SELECT status, count(*)::int FROM messaging.message_outbox WHERE aggregate_id = $1 GROUP BY status`,
      [conversationId],
    );
    expect(rows).toEqual([{ status: 'pending', count: total }]);
  },
);
