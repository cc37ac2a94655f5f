import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SeedOrder, SeedVerdict } from './sim-worker.ts';

const WORKER = fileURLToPath(new URL('./sim-worker.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
/** A seed takes tens of milliseconds; one that takes so long does not come to rest. */
const SEED_MAX_MS = 60_000;

export interface PlayOptions {
  /** Called with each verdict, in the order in which seeds end. */
  readonly onVerdict: (verdict: SeedVerdict) => void;
  /** No further seed is begun once it is aborted. */
  readonly signal?: AbortSignal;
}

/** Worker processes that play seeds. */
export class SimFleet {
  readonly #workers: (ChildProcess | undefined)[];

  constructor(jobs: number) {
    this.#workers = Array.from({ length: jobs }, () => undefined);
  }

  /** Resolves when all of them are over. */
  async play(seeds: Iterable<number>, { onVerdict, signal }: PlayOptions): Promise<void> {
    const queue = seeds[Symbol.iterator]();
    const next = () => (signal?.aborted === true ? undefined : queue.next().value) as number | undefined;
    await Promise.all(
      this.#workers.map(async (_, place) => {
        for (let seed = next(); seed !== undefined; seed = next()) onVerdict(await this.#playAt(place, seed));
      }),
    );
  }

  stop(): void {
    for (const worker of this.#workers) if (worker?.connected === true) worker.disconnect();
  }

  async #playAt(place: number, seed: number): Promise<SeedVerdict> {
    const worker = (this.#workers[place] ??= fork(WORKER, { cwd: ROOT, execArgv: ['--import', 'tsx'] }));
    const verdict = await play(worker, seed);
    if (verdict !== undefined) return verdict;
    worker.kill('SIGKILL');
    this.#workers[place] = undefined;
    return { seed, failures: ['it did not end, or its process died'], cpuMs: 0, events: 0, met: [] };
  }
}

/** undefined: no verdict came. */
function play(worker: ChildProcess, seed: number): Promise<SeedVerdict | undefined> {
  return new Promise((resolve) => {
    const finish = (verdict: SeedVerdict | undefined) => {
      clearTimeout(patience);
      worker.off('message', told).off('exit', died);
      resolve(verdict);
    };
    const told = (message: unknown) => finish(message as SeedVerdict);
    const died = () => finish(undefined);
    const patience = setTimeout(died, SEED_MAX_MS);
    worker.on('message', told).on('exit', died);
    const order: SeedOrder = { seed };
    worker.send(order);
  });
}
