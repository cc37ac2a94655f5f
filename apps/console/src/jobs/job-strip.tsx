import type { Job, Jobs } from '@sanctum/protocol/admin';
import { useEffect, useRef, useState } from 'preact/hooks';
import { countText } from '../format.ts';
import type { Api } from '../server/api.ts';
import { Confirm } from '../ui/confirm.tsx';
import { useLoad } from '../ui/hooks.ts';
import { Status, type Sign } from '../ui/icon.tsx';

const POLL_RUNNING_MS = 500;
const POLL_IDLE_MS = 10_000;

const SIGNS: Readonly<Record<Job['state'], Sign>> = {
  running: 'waiting',
  done: 'ok',
  failed: 'bad',
  stopped: 'paused',
  interrupted: 'warn',
};

const STATE_WORDS: Readonly<Record<Job['state'], string>> = {
  running: 'running',
  done: 'done',
  failed: 'failed',
  stopped: 'stopped',
  interrupted: 'interrupted: its pod is gone. Ask for the same again to go on',
};

/**
 * Long work, whoever started it: with its progress and a way to stop it, at the foot of every view (where it moves nothing). What ended while the
 * page was open stays until it is dismissed.
 */
export function JobStrip(props: {
  api: Api;
  /** Grows when a job was started here. */
  since: number;
  onEnded: (count: number) => void;
}) {
  const { api, since, onEnded } = props;
  /** What had ended before the page was opened. */
  const old = useRef<ReadonlySet<string> | undefined>(undefined);
  const [dismissed, setDismissed] = useState<ReadonlySet<string>>(new Set());
  const [everyMs, setEveryMs] = useState(POLL_IDLE_MS);
  const jobs = useLoad('jobs', (signal) => api.get<Jobs>('jobs', {}, signal), everyMs, since);
  const all = jobs.data?.jobs ?? [];
  const ended = all.filter(({ state }) => state !== 'running').length;
  const running = ended < all.length;
  useEffect(() => onEnded(ended), [ended, onEnded]);
  useEffect(() => setEveryMs(running ? POLL_RUNNING_MS : POLL_IDLE_MS), [running]);
  if (old.current === undefined && jobs.data !== undefined)
    old.current = new Set(all.filter(({ state }) => state !== 'running').map(({ job_id }) => job_id));
  const shown = all.filter(({ job_id }) => !dismissed.has(job_id) && old.current?.has(job_id) !== true);
  if (shown.length === 0) return null;
  return (
    <section class="jobs" aria-label="Running work">
      {shown.map((job) => (
        <JobRow
          key={job.job_id}
          job={job}
          stop={async () => {
            await api.send<Job>('DELETE', `jobs/${job.job_id}`);
            jobs.reload();
          }}
          dismiss={() => setDismissed(new Set([...dismissed, job.job_id]))}
        />
      ))}
    </section>
  );
}

function JobRow({ job, stop, dismiss }: { job: Job; stop: () => Promise<void>; dismiss: () => void }) {
  const [asking, setAsking] = useState(false);
  const name = job.kind === 'replay' ? 'Replay' : 'Requeue';
  const skipped = job.skipped === 0 ? '' : `, ${countText(job.skipped)} skipped`;
  const isRunning = job.state === 'running';
  return (
    <>
      <div class="job" role="status">
        <strong>{name}</strong>
        <Status sign={SIGNS[job.state]}>{STATE_WORDS[job.state]}</Status>
        <progress
          max={Math.max(job.total, 1)}
          value={job.total === 0 ? 1 : job.done}
          aria-label={`${name}: progress`}
        />
        <span class="job-figures">
          {countText(job.done)} of {countText(job.total)} set to be sent again
          {skipped}
          {job.error === null ? '' : `: ${job.error}`}
        </span>
        {isRunning ? (
          <button type="button" onClick={() => setAsking(true)}>
            Stop…
          </button>
        ) : (
          <button type="button" onClick={dismiss}>
            Dismiss
          </button>
        )}
      </div>
      {asking && isRunning ? (
        <Confirm
          title={`Stop this ${job.kind}?`}
          action={`Stop the ${job.kind}`}
          danger
          reason="none"
          act={stop}
          close={() => setAsking(false)}
        >
          <p>
            {countText(job.done)} of {countText(job.total)} messages are set to be sent again. What is done
            stays done; the rest has to be asked for anew.
          </p>
        </Confirm>
      ) : null}
    </>
  );
}
