import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { processesIn, untilGone } from './processes-in.ts';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'sanctum-processes-')));
});
afterEach(() => rm(folder, { recursive: true }));

it('those that outlive their parent are ended and waited for', async () => {
  const script = 'sleep 60 & sleep 60 & echo begun; wait';
  const parent = spawn('/bin/sh', ['-c', script], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  await once(parent.stdout, 'data');
  const pids = processesIn(folder);
  expect(pids).toHaveLength(3);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  expect(processesIn(folder)).toHaveLength(2);
  await untilGone({ folder, pids }, 'SIGKILL');
  expect(processesIn(folder)).toEqual([]);
});
