import type { Job } from '@sanctum/protocol/admin';
import type { OperatorJobs } from '@sanctum/messaging/adapters/postgres/operator-jobs';
import { CliError } from '../cli-error.ts';
import type { Output } from '../output.ts';
import type { Shell } from '../shell.ts';

const LOOK_EVERY_MS = 500;

/** Waits for the end of a job, telling how far it is, and prints it. */
export async function followJob(
  shell: Shell,
  { jobs, job, output }: { jobs: OperatorJobs; job: Job; output: Output },
): Promise<void> {
  let current = job;
  let told = -1;
  const settled = jobs.settled();
  while (current.state === 'running') {
    await Promise.race([settled, shell.clock.sleep(LOOK_EVERY_MS)]);
    current = (await jobs.get(job.job_id)) ?? current;
    if (current.done !== told && !output.isJson) output.note(`${current.done} of ${current.total}`);
    told = current.done;
  }
  const skipped = current.skipped > 0 ? `, ${current.skipped} skipped` : '';
  output.result(
    current,
    `${current.state}: ${current.done} of ${current.total} messages sent again${skipped}`,
  );
  if (current.state === 'failed') throw new CliError(`it failed after ${current.done}: ${current.error}`);
}
