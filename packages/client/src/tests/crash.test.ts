import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { fileStorage } from '../node/file-storage.ts';
import { A, message } from './device.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const DEVICE = fileURLToPath(new URL('crashing-device.ts', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'sanctum-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the device was given, until its process ended. */
function run(...args: string[]): { given: number[]; signal: string | null } {
  const child = spawnSync(process.execPath, ['--import', 'tsx', DEVICE, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = child.stdout.split('\n').filter((line) => line !== '');
  for (const line of lines) {
    const [seq, messageId] = line.split(' ');
    expect(messageId).toBe(message(A, Number(seq)).message_id);
  }
  return { given: lines.map((line) => Number.parseInt(line, 10)), signal: child.signal };
}

test.each([
  // Between hand-over and store: given again, under the same id.
  ['before', [1, 2, 3], [3, 4, 5]],
  ['after', [1, 2, 3], [4, 5]],
] as const)(
  'killed %s a message is stored: the application has each one once',
  { timeout: 60_000 },
  async (moment, first, second) => {
    const file = path.join(folder, `${moment}.sanctum`);
    expect(run(file, '3', moment)).toEqual({ given: first, signal: 'SIGKILL' });
    const between = await fileStorage(file);
    const stored = (await between.entries('app/')).length;
    expect(await between.entries('sanctum/cursor/')).toMatchObject([
      [`sanctum/cursor/${A}`, { cursor: stored }],
    ]);
    await between.close();
    expect(run(file)).toEqual({ given: second, signal: null });
    const storage = await fileStorage(file);
    const kept = [1, 2, 3, 4, 5].map((seq) => [`app/${seq}`, message(A, seq).message_id]);
    expect(await storage.entries('app/')).toEqual(kept);
    await storage.close();
  },
);
