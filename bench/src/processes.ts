import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of /proc/…/stat a second; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * CPU seconds, user and system, that a process and its living children have used so far; of this process itself
 * without them, since all that it started are its children.
 */
export function cpuSeconds(pid: number): number {
  const pids = pid === process.pid ? [pid] : treeOf(pid);
  return pids.reduce((sum, each) => sum + ownCpuSeconds(each), 0);
}

/** Resident bytes of one process. */
export function rssBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

function ownCpuSeconds(pid: number): number {
  try {
    // The name may hold blanks: the fields begin behind its closing bracket.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    // utime, stime, and those of children that have ended
    return (
      (Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND
    );
  } catch {
    return 0;
  }
}

function treeOf(pid: number): number[] {
  const pids = [pid];
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
      for (const child of children.split(' ').filter(Boolean)) pids.push(...treeOf(Number(child)));
    }
  } catch {
    // It ended while being looked at.
  }
  return pids;
}
