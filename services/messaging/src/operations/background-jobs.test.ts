import { expect, test } from 'vitest';
import { Fault } from '../errors.ts';
import { createMetrics } from '../metrics.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { valueOf } from '../tests/support/metric-values.ts';
import { RecordedLog } from '../tests/support/recorded-log.ts';
import { type BackgroundJob, BackgroundJobs, type JobBoard, type JobRun } from './background-jobs.ts';

/** A board on which everything is due, whose runs end when the test says so. */
class ScriptedBoard implements JobBoard {
  readonly begun: string[] = [];
  readonly #ends: { job: BackgroundJob; resolve: (run: JobRun) => void; reject: (error: Error) => void }[] =
    [];
  defaultRows = 0;
  lastSucceededAt: number | undefined;

  read() {
    const jobs = (['partitions', 'prune_outbox'] as const).map((job) => ({
      job,
      isDue: true,
      lastSucceededAt: this.lastSucceededAt,
    }));
    return Promise.resolve({ jobs, defaultRows: this.defaultRows, partitionsAheadDays: 2.5 });
  }

  run(job: BackgroundJob, options: { always?: boolean; signal?: AbortSignal } = {}): Promise<JobRun> {
    this.begun.push(options.always === true ? `${job}, due or not` : job);
    return new Promise((resolve, reject) => {
      this.#ends.push({ job, resolve, reject });
      options.signal?.addEventListener('abort', () => reject(new Error('given up')));
    });
  }

  end(job: BackgroundJob): { resolve: (run: JobRun) => void; reject: (error: Error) => void } {
    const index = this.#ends.findIndex((each) => each.job === job);
    return this.#ends.splice(index, 1)[0]!;
  }
}

function world() {
  const clock = new ManualClock();
  const metrics = createMetrics({ dispatcher: false, consumer: false });
  const log = new RecordedLog();
  const board = new ScriptedBoard();
  const jobs = new BackgroundJobs({ board, clock, metrics, log });
  const ending = new AbortController();
  return { clock, metrics, log, board, jobs, ending };
}

test('what is due is begun once, and a long one holds up no other', async () => {
  const { clock, board, jobs, ending } = world();
  const running = jobs.run(ending.signal);
  await clock.advance(15_000);
  expect(board.begun).toEqual(['partitions', 'prune_outbox']);
  board.end('partitions').resolve({ kind: 'done', count: 1 });
  await clock.advance(15_000);
  expect(board.begun).toEqual(['partitions', 'prune_outbox', 'partitions']);
  ending.abort();
  await running;
});

test('success and failure are counted, logged and timed', async () => {
  const { clock, metrics, log, board, jobs, ending } = world();
  board.lastSucceededAt = 1_600_000_000_500;
  board.defaultRows = 7;
  const running = jobs.run(ending.signal);
  await clock.advance(15_000);
  const successOf = (job: string) => valueOf(metrics.backgroundJobLastSuccess, { task: job });
  expect(await successOf('prune_outbox')).toBe(1_600_000_000.5);
  expect(await successOf('prune_dlq')).toBe(0);
  expect(await valueOf(metrics.outboxDefaultPartitionRows)).toBe(7);
  expect(await valueOf(metrics.outboxPartitionsAheadDays)).toBe(2.5);

  board.end('partitions').resolve({ kind: 'done', count: 2 });
  board.end('prune_outbox').reject(new Fault('contention', 'postgres: 55P03 in prune-outbox'));
  await settle();
  expect(await successOf('partitions')).toBe(clock.now() / 1000);
  expect(await successOf('prune_outbox')).toBe(1_600_000_000.5);
  expect(await valueOf(metrics.backgroundJobFailures, { task: 'prune_outbox' })).toBe(1);
  expect(log.named('background_job_done')[0]?.fields).toMatchObject({ job: 'partitions', count: 2 });
  expect(log.named('background_job_failed')[0]?.fields).toEqual({
    job: 'prune_outbox',
    reason: 'contention',
  });
  ending.abort();
  await running;
});

test('a run that another pod has, or that the end of this one gives up, is no failure', async () => {
  const { clock, metrics, log, board, jobs, ending } = world();
  const running = jobs.run(ending.signal);
  await clock.advance(15_000);
  board.end('partitions').resolve({ kind: 'not_now' });
  ending.abort();
  await running;
  expect(await valueOf(metrics.backgroundJobFailures)).toBe(0);
  expect(log.lines).toEqual([]);
});

test('partitions are made at the start, due or not, and a failure does not stop it', async () => {
  const { board, jobs, log } = world();
  const making = jobs.makePartitions();
  expect(board.begun).toEqual(['partitions, due or not']);
  board.end('partitions').reject(new Fault('unavailable', 'away'));
  await making;
  expect(log.named('background_job_failed')).toHaveLength(1);
});
