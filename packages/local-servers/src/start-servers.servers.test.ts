import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { portIsFree } from './free-port.ts';
import { isRunning, processIdentity } from './processes.ts';
import { startPostgres } from './start-postgres.ts';
import { startRedis } from './start-redis.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'sanctum-servers-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test('PostgreSQL starts on a folder that a killed run left, whatever has its pid by now', async () => {
  const dataDir = path.join(dir, 'postgres');
  const first = await startPostgres({ dataDir, durable: false });
  await first.kill('SIGKILL');
  const lockFile = path.join(dataDir, 'postmaster.pid');
  const [, ...rest] = (await readFile(lockFile, 'utf8')).split('\n');
  await writeFile(lockFile, [process.pid, ...rest].join('\n'));
  const second = await startPostgres({ dataDir, durable: false });
  await second.stop();
  await second.stop();
  expect(await portIsFree(second.port)).toBe(true);
});

test('a server that cannot start says why', async () => {
  const taken = await startRedis({ dir: path.join(dir, 'one') });
  await expect(startRedis({ dir: path.join(dir, 'two'), port: taken.port })).rejects.toThrow(
    `port ${taken.port} is in use`,
  );
  await taken.stop();
  await expect(startRedis({ dir: path.join(dir, 'one'), args: ['--no-such-setting', '1'] })).rejects.toThrow(
    /no-such-setting/,
  );
});

test('servers end with the process that started them, even by kill -9', async () => {
  const script = `
    import { startRedis } from ${JSON.stringify(import.meta.resolve('./start-redis.ts'))};
    const redis = await startRedis({ dir: ${JSON.stringify(path.join(dir, 'redis'))} });
    console.log(redis.pid);
    setInterval(() => undefined, 1_000);
  `;
  const loader = ['--import', import.meta.resolve('tsx')];
  const owner = spawn(process.execPath, [...loader, '--input-type=module', '--eval', script]);
  const [printed] = (await once(owner.stdout, 'data')) as [Buffer];
  const identity = (await processIdentity(Number(printed.toString()))) ?? '';
  expect(await isRunning(identity)).toBe(true);
  owner.kill('SIGKILL');
  await vi.waitUntil(async () => !(await isRunning(identity)), { timeout: 10_000 });
});
