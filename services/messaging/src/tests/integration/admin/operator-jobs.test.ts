import { expect, onTestFinished, test } from 'vitest';
import { OperatorJobs } from '../../../adapters/postgres/operator-jobs.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { systemClock } from '../../../clock.ts';
import { silentLog } from '../../../log.ts';
import { eventually } from '../../support/eventually.ts';
import { freshDatabase } from '../../support/servers.ts';

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
