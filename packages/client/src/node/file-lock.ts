import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { SanctumError } from '../sanctum-error.ts';

const TRIES_MAX = 3;
/** Files that this process holds. */
const held = new Set<string>();

/**
 * Takes `path` for this process alone. What a killed process left behind is taken over. A process in another
 * container cannot be seen from here: a folder is for one of them at a time.
 * @returns what lets go of it
 * @throws SanctumError `storage_failed` where a living process has it
 */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  // Written first and linked whole: a lock never stands there without saying whose it is.
  const own = `${path}.${randomUUID()}`;
  await writeFile(own, await identityOf(process.pid), { mode: 0o600 });
  try {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (await isLinked(own, path)) {
        held.add(path);
        return async () => {
          held.delete(path);
          await rm(path, { force: true });
        };
      }
      const holder = await readFile(path, 'utf8').catch(() => '');
      if (held.has(path) || (await isAlive(holder))) {
        throw failed(`process ${holder.split(' ')[0]} has this storage open (${path})`);
      }
      await takeAway(path, { holder, own });
    }
    throw failed(`others are opening this storage, too (${path})`);
  } finally {
    await rm(own, { force: true });
  }
}

/** Whether `path` is ours now; it is not where something stands there. */
async function isLinked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead process's lock. One at a time: else the lock of whoever was faster would be removed. */
async function takeAway(path: string, { holder, own }: { holder: string; own: string }): Promise<void> {
  const guard = `${path}.takeover`;
  if (await isLinked(own, guard)) {
    try {
      if ((await readFile(path, 'utf8').catch(() => '')) === holder) await rm(path, { force: true });
    } finally {
      await rm(guard, { force: true });
    }
  } else if (!(await isAlive(await readFile(guard, 'utf8').catch(() => '')))) {
    await rm(guard, { force: true });
  }
}

/** The pid, and when the process began, where the system tells: pids are used again, in containers at each start. */
async function identityOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may hold anything; the start is the 22nd field, the state behind the name the third.
  const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return `${pid} ${startedAt}`;
}

async function isAlive(holder: string): Promise<boolean> {
  const [pidText, startedAt] = holder.split(' ');
  const pid = Number(pidText);
  if (!(pid > 0)) return false;
  if (startedAt) return (await identityOf(pid)) === holder;
  // Without a start nobody can tell a process from an earlier one of the same pid.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function failed(message: string): SanctumError {
  return new SanctumError('storage_failed', message);
}
