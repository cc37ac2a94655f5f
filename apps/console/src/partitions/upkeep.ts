import {
  BACKGROUND_JOB_STALE_SECONDS,
  type Partitions,
  PARTITIONS_AHEAD_MIN_SECONDS,
} from '@sanctum/protocol/admin';
import { durationText } from '../format.ts';
import type { Sign } from '../ui/icon.tsx';

type Partition = Partitions['partitions'][number];
type BackgroundJob = Partitions['background_jobs'][number];

/** What a background job is at, in a word; `nowMs` since 1970. */
export function backgroundJobState(job: BackgroundJob, nowMs: number): { sign: Sign; words: string } {
  const { last_error: error, last_success_at: at } = job;
  if (error !== null) return { sign: 'bad', words: error };
  if (at === null) return { sign: 'waiting', words: 'has not run yet' };
  const isStale = nowMs - Date.parse(at) > BACKGROUND_JOB_STALE_SECONDS * 1000;
  return isStale ? { sign: 'warn', words: 'stale: does any pod run?' } : { sign: 'ok', words: 'works' };
}

export function needsLook({ kind, rows }: Partition): boolean {
  return kind === 'default' && rows > 0;
}

/** What needs somebody, in sentences. */
export function partitionWarnings(data: Partitions): string[] {
  const found: string[] = [];
  if (data.partitions.some(needsLook))
    found.push(
      'The default partition holds rows: a day had no partition of its own when they came. Prune moves none of them.',
    );
  if (data.ahead_seconds < PARTITIONS_AHEAD_MIN_SECONDS)
    found.push(
      `Partitions reach only ${durationText(data.ahead_seconds)} ahead: the job that makes them has not run.`,
    );
  return found;
}
