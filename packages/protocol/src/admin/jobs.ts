import { z } from 'zod';
import { time, uuid } from '../schemas/scalars.ts';
import { count, operator } from './common.ts';

/**
 * - `running`: pieces are being done; each is committed by itself, so what is done stays done;
 * - `done`, `failed`: at its end;
 * - `stopped`: an operator stopped it after a piece;
 * - `interrupted`: the pod that ran it is gone. Ask for the same again: what is done is not done twice.
 */
export const jobState = z.enum(['running', 'done', 'failed', 'stopped', 'interrupted']);
export type JobState = z.output<typeof jobState>;

export const job = z.object({
  job_id: uuid,
  kind: z.enum(['replay', 'requeue']),
  state: jobState,
  done: count,
  /** As counted when it began. */
  total: count,
  /** Entries that name no message of the log; rows that somebody else was just setting. */
  skipped: count,
  /** In words, where it failed. */
  error: z.string().nullable(),
  /** What was asked for. */
  parameters: z.record(z.string(), z.unknown()),
  started_by: operator,
  started_at: time,
  updated_at: time,
  pod: z.string(),
});
export type Job = z.output<typeof job>;

export const jobParams = z.object({ job_id: uuid });

/** `GET /admin/v1/jobs`, the latest first; `GET` and `DELETE /admin/v1/jobs/{job_id}` answer a `Job`. */
export const jobs = z.object({ jobs: z.array(job) });
export type Jobs = z.output<typeof jobs>;
