import { type Clock, jittered } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { BACKGROUND_JOBS, Metrics } from '../metrics.ts';

/** How often a pod looks whether something is due. */
const LOOK_EVERY_MS = 15_000;

export type BackgroundJob = (typeof BACKGROUND_JOBS)[number];

export interface JobState {
  readonly job: BackgroundJob;
  /** Nobody is at it, and it is time. */
  readonly isDue: boolean;
  /** Unix time in milliseconds; undefined: never. */
  readonly lastSucceededAt: number | undefined;
}

export interface JobBoardView {
  readonly jobs: readonly JobState[];
  /** Rows in the default partition. */
  readonly defaultRows: number;
  /** From now to the end of the newest partition. */
  readonly partitionsAheadDays: number;
}

export type JobRun =
  /** `count`: partitions made or dropped, where that is what the job does. */
  | { readonly kind: 'done'; readonly count: number | undefined }
  /** Another pod is at it, or was faster. */
  | { readonly kind: 'not_now' };

/** What all pods see of the jobs: adapters/postgres/background-jobs.ts. */
export interface JobBoard {
  read(): Promise<JobBoardView>;
  /**
   * Does the job here, unless another pod is at it or it is not due (`always`: whether or not). Rejects when it
   * failed, which the board has noted, with the time when it is to be tried again. A run ends by itself within a
   * bound; `signal` gives it up at once.
   */
  run(
    job: BackgroundJob,
    options?: { readonly always?: boolean; readonly signal?: AbortSignal },
  ): Promise<JobRun>;
}

/**
 * What has to be done by itself, by one pod for all: partitions ahead, and pruning. Every pod looks now and then and
 * takes what is due; each job runs beside the others, so a long prune holds up no partition.
 */
export class BackgroundJobs {
  readonly #board: JobBoard;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #running = new Map<BackgroundJob, Promise<void>>();

  constructor(options: { board: JobBoard; clock: Clock; metrics: Metrics; log: Log }) {
    this.#board = options.board;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#log = options.log;
  }

  /** At the start of a pod, due or not: what has no partition goes to DEFAULT, so a failure is no reason not to start. */
  makePartitions(): Promise<void> {
    return this.#do('partitions', { always: true });
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(jittered(this.#clock, LOOK_EVERY_MS), signal);
      if (!signal.aborted) await this.#look(signal);
    }
    await Promise.all(this.#running.values());
  }

  async #look(signal: AbortSignal): Promise<void> {
    let view: JobBoardView;
    try {
      view = await this.#board.read();
    } catch (error) {
      this.#log.warn('background_jobs_unknown', { reason: reasonOf(error) });
      return;
    }
    this.#metrics.outboxDefaultPartitionRows.set(view.defaultRows);
    this.#metrics.outboxPartitionsAheadDays.set(view.partitionsAheadDays);
    for (const { job, isDue, lastSucceededAt } of view.jobs) {
      if (lastSucceededAt !== undefined) this.#succeededAt(job, lastSucceededAt);
      if (!isDue || this.#running.has(job)) continue;
      const run = this.#do(job, { signal }).finally(() => this.#running.delete(job));
      this.#running.set(job, run);
    }
  }

  async #do(job: BackgroundJob, options: { always?: boolean; signal?: AbortSignal }): Promise<void> {
    const startedAt = this.#clock.monotonic();
    try {
      const run = await this.#board.run(job, options);
      if (run.kind === 'not_now') return;
      this.#succeededAt(job, this.#clock.now());
      const seconds = Math.round(this.#clock.monotonic() - startedAt) / 1000;
      this.#log.info('background_job_done', { job, count: run.count, seconds });
    } catch (error) {
      // Given up at the end of this pod: another one goes on where it stopped.
      if (options.signal?.aborted) return;
      this.#metrics.backgroundJobFailures.inc({ task: job });
      this.#log.warn('background_job_failed', { job, reason: reasonOf(error) });
    }
  }

  #succeededAt(job: BackgroundJob, ms: number): void {
    this.#metrics.backgroundJobLastSuccess.set({ task: job }, ms / 1000);
  }
}
