import type { Job } from '@sanctum/protocol/admin';
import type { OperatorJobs } from '@sanctum/messaging/adapters/postgres/operator-jobs';
import { CliError } from '../cli-error.ts';
import type { Output } from '../output.ts';
import type { Shell } from '../shell.ts';

const LOOK_EVERY_MS = 500;

/** What is left of a job that ended too early. */
const GO_ON: Readonly<Record<Job['kind'], string>> = {
  requeue: 'Type the same again: it takes what is left.',
  replay: 'Type the same again: what went out already goes out once more, and clients know it by its seq.',
};

/** Begins a job and waits for its end. Ctrl-C stops it after a piece; before that it ends the process, as ever. */
export async function runJob(
  shell: Shell,
  {
    jobs,
    output,
    end,
  }: { jobs: Pick<OperatorJobs, 'get' | 'settled'>; output: Output; end: AbortController },
  begin: () => Promise<Job>,
): Promise<void> {
  const undo = shell.onInterrupt(() => end.abort());
  try {
    await followJob(shell, { jobs, job: await begin(), output });
  } finally {
    undo();
  }
}

/** Waits for the end of a job, telling how far it is, and prints it. @throws CliError where it was not done wholly */
export async function followJob(
  shell: Shell,
  { jobs, job, output }: { jobs: Pick<OperatorJobs, 'get' | 'settled'>; job: Job; output: Output },
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
    `${current.state}: ${current.done} of ${current.total} messages set to be sent again${skipped}`,
  );
  const { state, done, total, skipped: left, error, kind, parameters } = current;
  if (state === 'failed') throw new CliError(`it failed after ${done}: ${error}`, GO_ON[kind]);
  if (state !== 'done') throw new CliError(`it was ${state} after ${done} of ${total}`, GO_ON[kind]);
  if (left > 0)
    throw new CliError(
      `${left} of ${total} were skipped`,
      parameters['kind'] === 'entry'
        ? 'The log has no message that they name; they stay.'
        : 'Somebody else was just setting them: most likely they are on their way.',
    );
}
