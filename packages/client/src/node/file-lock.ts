import { open, readFile, rm } from 'node:fs/promises';
import { SanctumError } from '../sanctum-error.ts';

const TRIES_MAX = 3;
/** Files that this process holds: a lock with its own pid that is not here is from an earlier process. */
const held = new Set<string>();

/**
 * Takes `path` for this process alone. What a killed process left behind is taken over.
 * @returns what lets go of it
 * @throws SanctumError `storage_failed` where a living process has it
 */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      held.add(path);
      return async () => {
        held.delete(path);
        await rm(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => '0'));
    if (held.has(path) || isAlive(holder)) {
      throw new SanctumError('storage_failed', `process ${holder} has this storage open (${path})`);
    }
    await rm(path, { force: true });
  }
  throw new SanctumError('storage_failed', `others are opening this storage, too (${path})`);
}

function isAlive(pid: number): boolean {
  // In a container every start has the same pid: our own lock is in `held`.
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
