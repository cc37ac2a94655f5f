import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
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
  const module = new URL('./kept-secret.ts', import.meta.url).href;
  const source = `import { keptSecret } from '${module}'; process.stdout.write(keptSecret(${JSON.stringify(file)}));`;
  const run = async () => {
    const args = ['--import', 'tsx', '--input-type=module', '--eval', source];
    return (await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname })).stdout;
  };
  const secrets = await Promise.all(Array.from({ length: 4 }, run));
  expect(secrets[0]).toHaveLength(64);
  expect(new Set(secrets).size).toBe(1);
  expect(readdirSync(folder)).toEqual(['secret']);
}, 20_000);

it('finds the folder of the workspace', () => {
  const found = stateFolder();
  expect(basename(found)).toBe('.sanctum');
  expect(readdirSync(dirname(found))).toContain('pnpm-workspace.yaml');
});
