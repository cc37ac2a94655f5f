import { randomUUID } from 'node:crypto';
import { Fault, reasonOf } from '../../errors.ts';
import type { BackgroundJob, JobBoard, JobBoardView, JobRun } from '../../operations/background-jobs.ts';
import type { PostgresOperations } from './operations.ts';
import { OPERATIONS_TIMEOUT_MS, type PostgresPool } from './pool.ts';

/** How long a prune may take; what it has committed by then stays done, and the next one goes on from there. */
export const PRUNE_TIMEOUT_MS = 30 * 60_000;
/** Beyond the bound of a run nothing of it is left on the server either: its statement has been ended. */
const TAKEN_SLACK_MS = 5_000;

const READ_JOBS = {
  name: 'read-background-jobs',
  text: `SELECT job, last_succeeded_at,
           due_at <= clock_timestamp() AND (taken_until IS NULL OR taken_until < clock_timestamp()) AS is_due
         FROM messaging.background_jobs WHERE job IN ('partitions', 'prune_outbox', 'prune_dlq', 'prune_records')`,
};
const READ_PARTITIONS = {
  name: 'read-partitions-ahead',
  text: `SELECT (SELECT count(*)::int FROM (SELECT FROM messaging.message_outbox_default LIMIT 100000) d) AS default_rows,
           coalesce(greatest(extract(epoch FROM max(upper_bound::timestamptz) - clock_timestamp()), 0) / 86400, 0)::float8
             AS ahead_days
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         CROSS JOIN LATERAL substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$TO \\('([^']+)'\\)$re$) AS upper_bound
         WHERE i.inhparent = 'messaging.message_outbox_days'::regclass`,
};
const TAKE = {
  name: 'take-background-job',
  text: `UPDATE messaging.background_jobs
         SET run_id = $2, last_pod = $3, last_started_at = clock_timestamp(),
           taken_until = clock_timestamp() + $4 * interval '1 millisecond'
         WHERE job = $1 AND (due_at <= clock_timestamp() OR $5)
           AND (taken_until IS NULL OR taken_until < clock_timestamp())`,
};
/** Hourly, while a partition is a day. */
const SUCCEEDED = {
  name: 'background-job-succeeded',
  text: `UPDATE messaging.background_jobs j
         SET run_id = NULL, taken_until = NULL, last_succeeded_at = clock_timestamp(), last_count = $3,
           last_error = NULL, failures = 0, due_at = clock_timestamp() + i.partition_span / 24
         FROM messaging.installation i WHERE j.job = $1 AND j.run_id = $2`,
};
/** After 10 s, 20 s, 40 s …, though never later than if it had succeeded. */
const FAILED = {
  name: 'background-job-failed',
  text: `UPDATE messaging.background_jobs j
         SET run_id = NULL, taken_until = NULL, last_failed_at = clock_timestamp(), last_error = $3,
           failures = failures + 1,
           due_at = clock_timestamp() + least(i.partition_span / 24, interval '10 seconds' * power(2, least(failures, 8)))
         FROM messaging.installation i WHERE j.job = $1 AND j.run_id = $2`,
};
const EXPIRED = {
  name: 'expired-partitions',
  text: `SELECT ($1::int * partition_span)::text AS retention,
           (SELECT count(*)::int FROM messaging.expired_message_outbox_partitions($1::int * partition_span)) AS expired
         FROM messaging.installation`,
};
const PRUNE_OUTBOX = { name: 'prune-outbox', text: 'CALL messaging.prune_message_outbox($1::interval)' };
/** An operator's job that has ended, or lost its pod, is of no use by then; the audit, which tells of it, is kept. */
const PRUNE_OPERATOR_JOBS = {
  name: 'prune-operator-jobs',
  text: `DELETE FROM messaging.operator_job
         WHERE started_at < clock_timestamp() - INTERVAL '30 days' AND updated_at < clock_timestamp() - INTERVAL '30 days'`,
};
/** Of pods that ended without a word. */
const PRUNE_POD_FIGURES = {
  name: 'prune-pod-figures',
  text: `DELETE FROM messaging.pod_figures WHERE seen_at < clock_timestamp() - INTERVAL '1 hour'`,
};
/** Of long ago: a repeated wish to leave was answered as the first one, and no pod can have missed the news. */
const PRUNE_LEFT_MEMBERS = {
  name: 'prune-left-members',
  text: `CALL messaging.prune_left_members(INTERVAL '7 days')`,
};
const PRUNE_DLQ = { name: 'prune-dlq', text: 'CALL messaging.prune_message_dlq($1::interval)' };

/**
 * `messaging.background_jobs`: one pod at a time takes a job, by an UPDATE of its row. No lock is held meanwhile, so
 * a prune may commit as often as it likes, and PgBouncer in transaction mode works; what is due, and who may still be
 * at it, is told by the database's clock alone.
 */
export class PostgresBackgroundJobs implements JobBoard {
  readonly #pool: PostgresPool;
  readonly #prunePool: PostgresPool;
  readonly #operations: PostgresOperations;
  readonly #pod: string;
  readonly #retention: { readonly outboxDays: number; readonly dlqDays: number };

  constructor(options: {
    /** For what is short. */
    pool: PostgresPool;
    /** A prune at a time on each connection, further ones waiting, for up to PRUNE_TIMEOUT_MS. */
    prunePool: PostgresPool;
    operations: PostgresOperations;
    pod: string;
    retention: { readonly outboxDays: number; readonly dlqDays: number };
  }) {
    this.#pool = options.pool;
    this.#prunePool = options.prunePool;
    this.#operations = options.operations;
    this.#pod = options.pod;
    this.#retention = options.retention;
  }

  async read(): Promise<JobBoardView> {
    const [jobs, [partitions]] = await Promise.all([
      this.#pool.query<{ job: BackgroundJob; last_succeeded_at: number | null; is_due: boolean }>(READ_JOBS),
      this.#pool.query<{ default_rows: number; ahead_days: number }>(READ_PARTITIONS),
    ]);
    return {
      jobs: jobs.map(({ job, last_succeeded_at, is_due }) => ({
        job,
        isDue: is_due,
        lastSucceededAt: last_succeeded_at ?? undefined,
      })),
      defaultRows: partitions!.default_rows,
      partitionsAheadDays: partitions!.ahead_days,
    };
  }

  async run(
    job: BackgroundJob,
    options: { readonly always?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<JobRun> {
    const runId = randomUUID();
    const isLong = job !== 'partitions';
    const longestMs = isLong ? PRUNE_TIMEOUT_MS : OPERATIONS_TIMEOUT_MS;
    const isTaken = await this.#pool.session((session) =>
      session.execute(TAKE, [job, runId, this.#pod, longestMs + TAKEN_SLACK_MS, options.always ?? false]),
    );
    if (isTaken === 0) return { kind: 'not_now' };
    try {
      const count = await this.#work(job, options.signal);
      await this.#pool.query(SUCCEEDED, [job, runId, count ?? null]);
      return { kind: 'done', count };
    } catch (error) {
      // Given up, its statement may still be running over there: the job stays taken for its longest time.
      if (!options.signal?.aborted) {
        const text = error instanceof Fault ? error.message : reasonOf(error);
        await this.#pool.query(FAILED, [job, runId, text]).catch(() => undefined);
      }
      throw error;
    }
  }

  async #work(job: BackgroundJob, signal: AbortSignal | undefined): Promise<number | undefined> {
    switch (job) {
      case 'partitions':
        return this.#operations.ensurePartitions();
      case 'prune_outbox': {
        const { retention, expired } = await this.#expired(this.#retention.outboxDays);
        await this.#prunePool.session((session) => session.query(PRUNE_OUTBOX, [retention]), signal);
        return expired;
      }
      case 'prune_dlq': {
        const { retention } = await this.#expired(this.#retention.dlqDays);
        await this.#prunePool.session((session) => session.query(PRUNE_DLQ, [retention]), signal);
        return undefined;
      }
      case 'prune_records': {
        await this.#pool.query(PRUNE_OPERATOR_JOBS);
        await this.#pool.query(PRUNE_POD_FIGURES);
        await this.#prunePool.session((session) => session.query(PRUNE_LEFT_MEMBERS), signal);
        return undefined;
      }
    }
  }

  /** The retention as an interval: so many partitions, which are days. */
  async #expired(days: number): Promise<{ retention: string; expired: number }> {
    const [row] = await this.#pool.query<{ retention: string; expired: number }>(EXPIRED, [days]);
    return row!;
  }
}
