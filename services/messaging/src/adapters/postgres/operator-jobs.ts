import { formatTime } from '@sanctum/protocol';
import type { Job, JobState } from '@sanctum/protocol/admin';
import type { Clock } from '../../clock.ts';
import { Fault, reasonOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { appendAudit } from './operator-log.ts';
import type { PostgresPool, Session } from './pool.ts';

/** A job that has said nothing for so long has lost its pod: every piece of it takes far less. */
const SILENT_AFTER_MS = 15_000;
/** Between two pieces: an operator's work never crowds out messages. */
const PAUSE_MS = 20;
const LISTED_MAX = 100;
/** Jobs that one process has under way; whoever begins one more is told to come back. */
const RUNNING_MAX = 20;
/** What a piece may fail of, such as a deadlock, before the job does. */
const ATTEMPTS_MAX = 5;
const RETRY_MS = 500;

const COLUMNS = `job_id, kind, state, done, total, skipped, error, parameters, started_by, started_at, updated_at, pod,
  state = 'running' AND updated_at < clock_timestamp() - INTERVAL '${SILENT_AFTER_MS} milliseconds' AS silent`;

const BEGIN_JOB = {
  name: 'begin-job',
  text: `INSERT INTO messaging.operator_job (job_id, kind, total, parameters, started_by, pod)
         VALUES ($1, $2, $3, $4, $5, $6)`,
};
/** No row: somebody wants it stopped. */
const PROGRESS = {
  name: 'job-progress',
  text: `UPDATE messaging.operator_job
         SET done = done + $2, skipped = skipped + $3, updated_at = clock_timestamp()
         WHERE job_id = $1 AND state = 'running' AND NOT stop_requested`,
};
const END_JOB = {
  name: 'end-job',
  text: `UPDATE messaging.operator_job SET state = $2, error = $3, updated_at = clock_timestamp()
         WHERE job_id = $1 AND state = 'running'`,
};
const REQUEST_STOP = {
  name: 'request-stop',
  text: `UPDATE messaging.operator_job SET stop_requested = true,
           -- nobody is there to stop it
           state = CASE WHEN updated_at < clock_timestamp() - INTERVAL '${SILENT_AFTER_MS} milliseconds'
                        THEN 'stopped' ELSE state END
         WHERE job_id = $1 AND state = 'running'`,
};
const GET_JOB = {
  name: 'get-job',
  text: `SELECT ${COLUMNS} FROM messaging.operator_job WHERE job_id = $1`,
};
/** Index: operator_job_started. */
const LIST_JOBS = {
  name: 'list-jobs',
  text: `SELECT ${COLUMNS} FROM messaging.operator_job ORDER BY started_at DESC LIMIT ${LISTED_MAX}`,
};

interface JobRow {
  readonly job_id: string;
  readonly kind: Job['kind'];
  readonly state: JobState;
  readonly done: number;
  readonly total: number;
  readonly skipped: number;
  readonly error: string | null;
  readonly parameters: Record<string, unknown>;
  readonly started_by: string;
  readonly started_at: number;
  readonly updated_at: number;
  readonly pod: string;
  readonly silent: boolean;
}

/** What a piece did, and where the next one begins; without `next` it was the last. */
export interface PieceResult<C> {
  readonly done: number;
  readonly skipped?: number;
  readonly next?: C;
}

export interface JobSpec<C> {
  readonly kind: Job['kind'];
  readonly by: string;
  readonly total: number;
  /** Of what, for the record. */
  readonly target: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly first: C;
  /** Inside a transaction that also counts what was done: a piece happens wholly, with its count, or not at all. */
  readonly piece: (session: Session, from: C) => Promise<PieceResult<C>>;
}

/** Long work of operators, piece by piece. It runs on the pod that took it; any pod shows and stops it. */
export class OperatorJobs {
  readonly #pool: PostgresPool;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pod: string;
  readonly #end: AbortSignal;
  readonly #running = new Set<Promise<void>>();
  /** Those of `#running`, and those that are being recorded. */
  #begun = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: { pool: PostgresPool; clock: Clock; log: Log; pod: string; end: AbortSignal }) {
    this.#pool = options.pool;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#pod = options.pod;
    this.#end = options.end;
  }

  /** Recorded, and begun. @throws Fault contention: there are RUNNING_MAX */
  async start<C>(spec: JobSpec<C>): Promise<Job> {
    if (this.#begun >= RUNNING_MAX) throw new Fault('contention', 'operator jobs: too many are running');
    this.#begun += 1;
    try {
      const jobId = this.#clock.uuid();
      await this.#record(jobId, spec);
      this.#begun += 1;
      const running = this.#run(jobId, spec).finally(() => {
        this.#begun -= 1;
        this.#running.delete(running);
      });
      this.#running.add(running);
      return (await this.get(jobId))!;
    } finally {
      this.#begun -= 1;
    }
  }

  async #record<C>(jobId: string, spec: JobSpec<C>): Promise<void> {
    const { kind, by, total, target, parameters } = spec;
    await this.#pool.session((session) =>
      session.transaction('BEGIN', async () => {
        await session.execute(BEGIN_JOB, [jobId, kind, total, JSON.stringify(parameters), by, this.#pod]);
        await appendAudit(session, {
          operator: by,
          action: kind,
          target,
          parameters: { ...parameters, job_id: jobId, total },
        });
        await session.command('COMMIT');
      }),
    );
  }

  async get(jobId: string): Promise<Job | undefined> {
    const [row] = await this.#pool.query<JobRow>(GET_JOB, [jobId]);
    return row && toJob(row);
  }

  async list(): Promise<Job[]> {
    return (await this.#pool.query<JobRow>(LIST_JOBS)).map(toJob);
  }

  /** It stops after the piece under way. Nothing happens to one that has ended. */
  async stop(jobId: string, by: string): Promise<Job | undefined> {
    await this.#pool.session((session) =>
      session.transaction('BEGIN', async () => {
        if ((await session.execute(REQUEST_STOP, [jobId])) > 0) {
          await appendAudit(session, { operator: by, action: 'stop_job', target: jobId, parameters: {} });
        }
        await session.command('COMMIT');
      }),
    );
    return this.get(jobId);
  }

  /** When every job of this pod has ended its piece. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #run<C>(jobId: string, { piece, first }: JobSpec<C>): Promise<void> {
    let from: C | undefined = first;
    let attempts = 0;
    try {
      while (from !== undefined) {
        try {
          const place: C = from;
          const result: PieceResult<C> | 'stopped' = await this.#inTurn(() =>
            this.#end.aborted ? Promise.resolve('stopped' as const) : this.#piece(jobId, place, piece),
          );
          if (result === 'stopped')
            return await this.#finish(
              jobId,
              'stopped',
              this.#end.aborted ? 'ended with the process that ran it' : null,
            );
          from = result.next;
          attempts = 0;
        } catch (error) {
          attempts += 1;
          if (attempts >= ATTEMPTS_MAX) throw error;
          await this.#clock.sleep(RETRY_MS * attempts, this.#end);
        }
        await this.#clock.sleep(PAUSE_MS, this.#end);
      }
      await this.#finish(jobId, 'done', null);
    } catch (error) {
      this.#log.error('operator_job_failed', { job_id: jobId, reason: reasonOf(error) });
      await this.#finish(jobId, 'failed', reasonOf(error)).catch(() => undefined);
    }
  }

  /** Pieces of all jobs take turns: whatever operators begin, it takes one connection. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #piece<C>(
    jobId: string,
    from: C,
    piece: (session: Session, from: C) => Promise<PieceResult<C>>,
  ): Promise<PieceResult<C> | 'stopped'> {
    return this.#pool.session((session) =>
      session.transaction('BEGIN', async () => {
        const result = await piece(session, from);
        const counted = await session.execute(PROGRESS, [jobId, result.done, result.skipped ?? 0]);
        await session.command(counted > 0 ? 'COMMIT' : 'ROLLBACK');
        return counted > 0 ? result : 'stopped';
      }),
    );
  }

  async #finish(jobId: string, state: JobState, error: string | null): Promise<void> {
    await this.#pool.query(END_JOB, [jobId, state, error]);
  }
}

function toJob({ silent, started_at, updated_at, ...row }: JobRow): Job {
  return {
    ...row,
    state: silent ? 'interrupted' : row.state,
    started_at: formatTime(started_at),
    updated_at: formatTime(updated_at),
  };
}
