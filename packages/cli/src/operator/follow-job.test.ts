import type { Job, JobState } from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';
import { CliError } from '../cli-error.ts';
import { Output } from '../output.ts';
import { A } from '../tests/ids.ts';
import { TestShell } from '../tests/test-shell.ts';
import { followJob } from './follow-job.ts';

const RUNNING: Job = {
  job_id: A,
  kind: 'requeue',
  state: 'running',
  done: 0,
  total: 9,
  skipped: 0,
  error: null,
  parameters: {},
  started_by: 'cli:ola',
  started_at: '2026-11-25T12:00:00.000Z',
  updated_at: '2026-11-25T12:00:00.000Z',
  pod: 'cli:ola',
};

async function follow(end: Partial<Job>) {
  const shell = new TestShell();
  const jobs = { get: async () => ({ ...RUNNING, ...end }), settled: async () => undefined };
  const job: Job = { ...RUNNING, ...end, state: 'running' };
  const ended = followJob(shell, { jobs, job, output: new Output(shell, {}) });
  const error: unknown = await ended.catch((thrown: unknown) => thrown);
  return { out: shell.out, error };
}

test('a job that is done is no failure', async () => {
  expect(await follow({ state: 'done', done: 9 })).toEqual({
    out: 'done: 9 of 9 messages set to be sent again\n',
    error: undefined,
  });
});

test.each([
  ['entry', /no message that they name/],
  ['row', /Somebody else/],
])('one that skipped something is done, and has failed for the rest (%s)', async (kind, next) => {
  const { out, error } = await follow({ state: 'done', done: 4, skipped: 5, parameters: { kind } });
  expect(out).toBe('done: 4 of 9 messages set to be sent again, 5 skipped\n');
  expect(error).toMatchObject({
    message: '5 of 9 were skipped',
    exitCode: 1,
    next: expect.stringMatching(next),
  });
});

test.each<[JobState, Job['kind'], string, RegExp]>([
  ['stopped', 'requeue', 'it was stopped after 4 of 9', /it takes what is left/],
  ['interrupted', 'replay', 'it was interrupted after 4 of 9', /once more/],
  ['failed', 'requeue', 'it failed after 4: refused', /it takes what is left/],
])('one that was %s half way fails, and says how to go on (%s)', async (state, kind, message, next) => {
  const { error } = await follow({ state, kind, done: 4, error: state === 'failed' ? 'refused' : null });
  expect(error).toBeInstanceOf(CliError);
  expect(error).toMatchObject({ message, exitCode: 1, next: expect.stringMatching(next) });
});
