import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HistoryWriter } from '../history/history-writer.ts';
import { readHistory } from '../history/read-history.ts';
import type { Order, Report, WorkerSettings } from './worker.ts';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));
export type Progress = (Report & { is: 'progress' })['devices'];

/** One process of clients, and its successors: it can be killed, and then another one goes on with its storages. */
export class ClientProcess {
  readonly histories: string[] = [];
  readonly #settings: Omit<WorkerSettings, 'name' | 'historyFile'>;
  readonly #folder: string;
  readonly #number: number;
  #child: ChildProcess | undefined;
  #starts = 0;

  constructor(settings: Omit<WorkerSettings, 'name' | 'historyFile'>, folder: string, number: number) {
    this.#settings = settings;
    this.#folder = folder;
    this.#number = number;
  }

  async start(): Promise<void> {
    const name = `process-${this.#number}-${++this.#starts}`;
    const historyFile = `${this.#folder}/${name}.ndjson`;
    this.histories.push(historyFile);
    this.#child = fork(WORKER, {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ready = this.#next('ready');
    this.#order({ do: 'begin', settings: { ...this.#settings, name, historyFile } });
    await ready;
  }

  /** `kill -9`; what its connections came to is written into a history beside its own. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    this.#closeConnections(this.histories.at(-1)!);
  }

  /** The process stands still for a while, as a laptop does that sleeps. */
  async freeze(forMs: number): Promise<void> {
    const child = this.#child;
    child?.kill('SIGSTOP');
    await sleep(forMs);
    child?.kill('SIGCONT');
  }

  reopen(): void {
    this.#order({ do: 'reopen' });
  }

  quiet(): void {
    this.#order({ do: 'quiet' });
  }

  async progress(): Promise<Progress> {
    const answer = this.#next('progress');
    this.#order({ do: 'progress' });
    return (await answer).devices;
  }

  async end(): Promise<void> {
    const ended = this.#next('ended');
    this.#order({ do: 'end' });
    await ended;
  }

  #order(order: Order): void {
    if (this.#child?.connected === true) this.#child.send(order);
  }

  #next<T extends Report['is']>(is: T): Promise<Report & { is: T }> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const take = (report: Report) => {
        if (report.is !== is) return;
        child?.off('message', take);
        child?.off('exit', gone);
        resolve(report as Report & { is: T });
      };
      const gone = () => reject(new Error(`client process ${this.#number} ended before it was ${is}`));
      if (child === undefined) return gone();
      child.on('message', take);
      child.once('exit', gone);
    });
  }

  #closeConnections(path: string): void {
    const open = new Set<string>();
    for (const event of readHistory([path])) {
      if (event.type === 'connect') open.add(event.connection);
      if (event.type === 'close') open.delete(event.connection);
    }
    const file = path.replace(/\.ndjson$/, '-killed.ndjson');
    this.histories.push(file);
    const history = new HistoryWriter(file, { process: `killed-${this.#number}-${this.#starts}` });
    for (const connection of open) history.append({ type: 'close', connection, code: 1006 });
    history.close();
  }
}
