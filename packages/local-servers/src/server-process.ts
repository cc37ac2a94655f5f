import { open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { portIsFree } from './free-port.ts';
import { childrenOf, signalProcess, spawnDaemon, type Command, type Daemon } from './processes.ts';

const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 20;
const STOP_GRACE_DEFAULT_MS = 20_000;
const LOG_TAIL_BYTES = 2_000;

export interface ServerProcessOptions {
  /** How messages call it. */
  name: string;
  command: Command;
  /** Where it listens, on 127.0.0.1. */
  port: number;
  logFile: string;
  /** Asks it to stop in good order. */
  stopSignal: NodeJS.Signals;
  /** After that long it is ended by force. Default: 20,000. */
  stopGraceMs?: number;
  /** Whether it answers. */
  isReady: () => Promise<boolean>;
}

/**
 * One server and the process that is it just now: stopped → running → stopped, as often as wanted. `stop` is
 * safe at any time and any number of times.
 */
export class ServerProcess {
  readonly #options: ServerProcessOptions;
  #daemon: Daemon | undefined;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
  }

  get pid(): number {
    if (this.#daemon === undefined) throw new Error(`${this.#options.name} does not run`);
    return this.#daemon.pid;
  }

  /** Settles, with the way it ended, when the present process has ended. */
  get ended(): Promise<string> {
    return this.#daemon?.ended ?? Promise.resolve('not started');
  }

  /** Starts the process and returns once it answers; `abort` stops it again before that. */
  async start(abort?: AbortSignal): Promise<void> {
    const { command, logFile, stopSignal, name, port } = this.#options;
    // Whoever listens there already would answer in its place.
    if (!(await portIsFree(port))) throw new Error(`${name} cannot start: port ${port} is in use`);
    const logStart = await stat(logFile).then(
      (file) => file.size,
      () => 0,
    );
    const daemon = await spawnDaemon(command, logFile, stopSignal);
    this.#daemon = daemon;
    let end: string | undefined;
    void daemon.ended.then((how) => {
      end = how;
      if (this.#daemon === daemon) this.#daemon = undefined;
    });
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (!(await this.#options.isReady())) {
      if (abort?.aborted === true) await this.stop();
      const late = Date.now() > deadline ? `no answer within ${READY_TIMEOUT_MS / 1000} s` : undefined;
      const failed = end ?? late;
      if (failed !== undefined) {
        await this.stop();
        const lastWords = await tail(logFile, logStart);
        throw new Error(`${name} did not start (${failed}). Its last words:
${lastWords}`);
      }
      await delay(READY_POLL_MS);
    }
  }

  /** Stops it in good order, or by force when that takes too long. */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    this.#signalAll('SIGCONT');
    signalProcess(daemon.pid, this.#options.stopSignal);
    const graceMs = this.#options.stopGraceMs ?? STOP_GRACE_DEFAULT_MS;
    const force = setTimeout(() => this.#signalAll('SIGKILL'), graceMs);
    await daemon.ended;
    clearTimeout(force);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /**
   * Sends a signal to the process and its children: `SIGSTOP` freezes all of it, `SIGCONT` thaws it, `SIGKILL`
   * is a host that died (returns when nothing is left of it).
   */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    this.#signalAll(signal);
    if (signal === 'SIGKILL') await daemon.ended;
  }

  #signalAll(signal: NodeJS.Signals): void {
    if (this.#daemon === undefined) return;
    const { pid } = this.#daemon;
    // A parent that runs on would replace the children it loses, so it is the first to be stopped.
    const parentFirst = signal !== 'SIGCONT';
    if (parentFirst) signalProcess(pid, signal);
    for (const child of childrenOf(pid)) signalProcess(child, signal);
    if (!parentFirst) signalProcess(pid, signal);
  }
}

async function tail(file: string, from: number): Promise<string> {
  const log = await open(file, 'r');
  try {
    const { size } = await log.stat();
    const start = Math.max(from, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await log.read({ position: start, buffer: Buffer.alloc(size - start) });
    return buffer.toString('utf8', 0, bytesRead).trimEnd();
  } finally {
    await log.close();
  }
}
