import { isRunning, processIdentity } from '@sanctum/local-servers';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRun, RunFile } from './run-file.ts';

let file: string;

beforeEach(async () => {
  file = path.join(await mkdtemp(path.join(tmpdir(), 'sanctum-run-')), 'run.json');
});

afterEach(async () => {
  await rm(path.dirname(file), { recursive: true });
});

test('one run at a time: the second hears where the first is', async () => {
  const first = await RunFile.take(file);
  await expect(RunFile.take(file)).rejects.toThrow(
    `is starting already, from this folder (pid ${process.pid})`,
  );
  const http = 'http://127.0.0.1:8083';
  await first.ready({ http, websocket: 'ws', admin: 'a', postgres: 'p', redis: 'r' });
  await expect(RunFile.take(file)).rejects.toThrow(`runs at ${http}`);
  await first.release();
  await (await RunFile.take(file)).release();
  expect(await readRun(file)).toBeUndefined();
});

test('a killed run is followed by the next one, once its servers have ended', async () => {
  const server = spawn('sleep', ['0.3']);
  const servers = [(await processIdentity(server.pid!)) ?? ''];
  await writeFile(
    file,
    JSON.stringify({ identity: `${process.pid}@another life`, pid: process.pid, servers }),
  );
  await RunFile.take(file);
  expect(await isRunning(servers[0]!)).toBe(false);
});
