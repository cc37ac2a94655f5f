import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keptSecret, stateFolder } from './kept-secret.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kept-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('makes a secret once, readable by its owner only', () => {
  const file = join(folder, 'state', 'secret');
  const secret = keptSecret(file);
  expect(Buffer.byteLength(secret)).toBeGreaterThanOrEqual(32);
  expect(keptSecret(file)).toBe(secret);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(file))).toEqual(['secret']);
});

it('takes the secret that is there', () => {
  const file = join(folder, 'secret');
  writeFileSync(file, 'chosen by hand\n');
  expect(keptSecret(file)).toBe('chosen by hand');
});

it('ends with one secret when many make it at once', async () => {
  const file = join(folder, 'secret');
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { start, file, module } = workerData;
    Atomics.add(start, 0, 1);
    Atomics.notify(start, 0);
    import(module).then(({ keptSecret }) => {
      while (Atomics.load(start, 0) < 8) Atomics.wait(start, 0, Atomics.load(start, 0), 20);
      parentPort.postMessage(keptSecret(file));
    });`;
  const start = new Int32Array(new SharedArrayBuffer(4));
  const module = new URL('./kept-secret.ts', import.meta.url).href;
  const run = () =>
    new Promise<string>((resolve, reject) => {
      const worker = new Worker(source, { eval: true, workerData: { start, file, module }, execArgv: ['--import', 'tsx'] });
      worker.once('message', resolve).once('error', reject);
    });
  const secrets = await Promise.all(Array.from({ length: 8 }, run));
  expect(new Set(secrets).size).toBe(1);
});

it('finds the folder of the workspace', () => {
  const found = stateFolder();
  expect(basename(found)).toBe('.sanctum');
  expect(readdirSync(dirname(found))).toContain('pnpm-workspace.yaml');
});
