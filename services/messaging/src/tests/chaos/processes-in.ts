import { readdirSync, readlinkSync } from 'node:fs';
import { signalProcess } from '@sanctum/local-servers';
import { eventually } from '../support/eventually.ts';

const GONE_WITHIN_MS = 20_000;

/** Processes that work in a folder: of a PostgreSQL server the postmaster and all its backends. */
export function processesIn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && worksIn(Number(name), folder))
    .map(Number);
}

/** Waits until none of them is left. Those that outlived their parent are given the signal, too. */
export async function untilGone(
  { folder, pids }: { readonly folder: string; readonly pids: readonly number[] },
  signal: NodeJS.Signals,
): Promise<void> {
  for (const pid of pids) if (worksIn(pid, folder)) signalProcess(pid, signal);
  await eventually(() => {
    const left = pids.filter((pid) => worksIn(pid, folder));
    if (left.length > 0) throw new Error(`${left.length} processes are left in ${folder}`);
  }, GONE_WITHIN_MS);
}

/** A pid is used again, so the folder is looked at each time; one that has ended works nowhere. */
function worksIn(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === folder;
  } catch {
    return false;
  }
}
