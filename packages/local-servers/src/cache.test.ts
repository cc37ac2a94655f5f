import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheDir, cached } from './cache.ts';

let name: string;

beforeEach(() => {
  name = `test-${randomBytes(4).toString('hex')}`;
});

afterEach(async () => {
  await rm(path.join(cacheDir, name), { recursive: true, force: true });
});

const fill =
  (text: string) =>
  (dir: string): Promise<void> =>
    writeFile(path.join(dir, 'content'), text);

test('a folder is filled once', async () => {
  await cached(name, fill('first'));
  const dir = await cached(name, fill('second'));
  expect(await readFile(path.join(dir, 'content'), 'utf8')).toBe('first');
});

test('two that fill at the same time end with one whole folder', async () => {
  const [one, other] = await Promise.all([cached(name, fill('one')), cached(name, fill('other'))]);
  expect(one).toBe(other);
  expect(['one', 'other']).toContain(await readFile(path.join(one, 'content'), 'utf8'));
});

test('a fill that fails leaves nothing behind', async () => {
  const failing = cached(name, () => Promise.reject(new Error('disk full')));
  await expect(failing).rejects.toThrow('disk full');
  expect((await readdir(cacheDir)).filter((entry) => entry.startsWith(name))).toEqual([]);
});
