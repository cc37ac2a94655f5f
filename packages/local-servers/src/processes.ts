import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

export interface Command {
  file: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** Runs a command to its end and returns what it printed; a failure carries its last words. */
export async function run(command: Command): Promise<string> {
  try {
    const { stdout } = await execFileAsync(command.file, command.args, {
      env: { ...process.env, ...command.env },
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } catch (cause) {
    const stderr = (cause as { stderr?: string }).stderr?.trim().split('\n').slice(-5).join('\n');
    const said = stderr === undefined || stderr === '' ? (cause as Error).message : stderr;
    throw new Error(`${command.file} failed: ${said}`, { cause });
  }
}

/** Whether a command exists and exits 0; for probing what a machine can do. */
export async function succeeds(file: string, args: string[]): Promise<boolean> {
  try {
    await execFileAsync(file, args);
    return true;
  } catch {
    return false;
  }
}

export interface Daemon {
  readonly pid: number;
  /** Settles when the process has ended, with a short text that says how. */
  readonly ended: Promise<string>;
}

/**
 * Starts a server process that does not outlive us and does not hear our terminal's Ctrl-C (it has a session
 * of its own, so that whoever started it decides the order in which things stop). What it prints goes to
 * `logFile`. Should this process die in any way, even by `kill -9`, a waiting shell at the other end of a pipe
 * sees the pipe close and sends `lastSignal`.
 */
export async function spawnDaemon(command: Command, logFile: string, lastSignal: string): Promise<Daemon> {
  const log = openSync(logFile, 'a');
  const child = spawn(command.file, command.args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...command.env },
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once('error', (error) => resolve(error.message));
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${command.file} could not be started: ${await ended}`);
  const watcher = watchOver(pid, lastSignal);
  void ended.then(() => watcher.kill('SIGKILL'));
  return { pid, ended };
}

function watchOver(pid: number, signal: string): ChildProcess {
  const script = `trap '' INT TERM HUP; read _; kill -${signal.replace('SIG', '')} ${pid}`;
  const watcher = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watcher.stdin?.on('error', () => undefined);
  watcher.unref();
  return watcher;
}

/** Sends a signal; a process that is gone already is not an error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Direct children of a process (Linux only; elsewhere none are found). */
export function childrenOf(pid: number): number[] {
  return procEntries().filter((candidate) => statFields(candidate)?.[1] === String(pid));
}

/**
 * A text that names one process for its whole life: a pid alone is used again. `undefined` when there is no
 * such process, or only its zombie.
 */
export async function processIdentity(pid: number): Promise<string | undefined> {
  const fields = statFields(pid);
  if (fields !== undefined) return fields[0] === 'Z' ? undefined : `${pid}@${fields[19]}`;
  if (process.platform === 'linux') return undefined;
  const started = (
    await run({ file: 'ps', args: ['-o', 'lstart=', '-p', String(pid)] }).catch(() => '')
  ).trim();
  return started === '' ? undefined : `${pid}@${started}`;
}

/** Whether the process with this identity still runs. */
export async function isRunning(identity: string): Promise<boolean> {
  return (await processIdentity(Number.parseInt(identity, 10))) === identity;
}

/** The folder a process works in, where the system tells. */
export function workingDirectory(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

function procEntries(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Fields of /proc/PID/stat from the third on (state, ppid, …): the second may hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
