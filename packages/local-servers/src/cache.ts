import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Receives one line of text for each step that takes noticeable time. */
export type Progress = (line: string) => void;

const aboveThisPackage = fileURLToPath(new URL('../../..', import.meta.url));

/** The root of the clone; of an installed package, the folder in which it was started. */
export const workspaceDir = existsSync(path.join(aboveThisPackage, 'pnpm-workspace.yaml'))
  ? aboveThisPackage
  : process.cwd();
/** The clone's own cache: whatever is fetched lands here and nowhere else on the machine. */
export const cacheDir = path.join(workspaceDir, '.cache');
/** What `npm start` keeps from one run to the next: data, ports, the development secret, logs. */
export const stateDir = path.join(workspaceDir, '.sanctum');

/**
 * Fills `.cache/<name>` once and returns its path. The folder appears by a rename, so an interrupted or a
 * concurrent fill never leaves half a folder that a later run takes for a whole one.
 */
export async function cached(name: string, fill: (dir: string) => Promise<void>): Promise<string> {
  const dir = path.join(cacheDir, name);
  if (existsSync(dir)) return dir;
  const draft = `${dir}.${randomBytes(4).toString('hex')}`;
  await mkdir(draft, { recursive: true });
  try {
    await fill(draft);
    await rename(draft, dir);
  } catch (error) {
    // Another process was first: its folder is as good as ours.
    if (!existsSync(dir)) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return dir;
}
