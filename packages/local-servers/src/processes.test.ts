import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { childrenOf, isRunning, processIdentity, run, signalProcess } from './processes.ts';

test('an identity holds for one process only, and only while it lives', async () => {
  const child = spawn('sleep', ['60']);
  const identity = (await processIdentity(child.pid!)) ?? '';
  expect(identity).toMatch(new RegExp(`^${child.pid}@`));
  expect(await isRunning(identity)).toBe(true);
  expect(await isRunning(`${child.pid}@the start of another`)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await isRunning(identity)).toBe(false);
});

test.runIf(process.platform === 'linux')('children are found', async () => {
  const child = spawn('sleep', ['60']);
  expect(childrenOf(process.pid)).toContain(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('a signal to a process that is gone is no error', async () => {
  const child = spawn('true');
  await once(child, 'exit');
  signalProcess(child.pid!, 'SIGTERM');
});

test('a command that fails is quoted', async () => {
  const failing = run({ file: 'sh', args: ['-c', 'echo "no space left" >&2; exit 3'] });
  await expect(failing).rejects.toThrow('sh failed: no space left');
});
