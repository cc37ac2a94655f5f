import { Fault } from '../../errors.ts';
import type { SimClock } from './sim-clock.ts';
import { type SimProcess, wrapped } from './sim-process.ts';
import type { SimRandom } from './sim-random.ts';

type Work = (...given: unknown[]) => Promise<unknown>;

/** What Postgres is like at present, for all who call it. */
export interface PostgresState {
  up: boolean;
  /** How many times longer everything takes. */
  slowness: number;
  /** Counts its restarts: whatever was under way to an earlier life, or back from it, is lost. */
  life: number;
}

const LATENCY_MS = 0.4;
const LATENCY_SPREAD_MS = 1.5;
/** When a call over a cut line is given up, at the latest. */
const TIMEOUT_MS = 2500;

/**
 * A process' line to Postgres. A call goes there, is done at one moment, and its answer comes back; each way takes its
 * time, and may end with the line cut or the server gone. Lost on the way back, the call was done all the same.
 */
export class PostgresLink {
  /** The network between the two. */
  cut = false;
  /** Of answers that get lost, the server being well. */
  lossRate = 0;
  readonly #clock: SimClock;
  readonly #random: SimRandom;
  readonly #process: SimProcess;
  readonly #server: PostgresState;
  /** Callbacks that a transaction waits for: they end with the process' connections. */
  readonly #awaited = new Set<(error: Fault) => void>();

  constructor(options: { clock: SimClock; random: SimRandom; process: SimProcess; server: PostgresState }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#process = options.process;
    this.#server = options.server;
  }

  /** A port whose methods are all calls; a callback among the arguments is called back over the same line. */
  remote<Port extends object>(port: Port): Port {
    return wrapped(
      port,
      (method) =>
        (...given) =>
          this.#process.pass(this.#call(method as Work, given)),
    );
  }

  /** The server hears that the process is gone, and ends its transactions. */
  sever(): void {
    for (const end of this.#awaited) end(lost());
    this.#awaited.clear();
  }

  async #call(method: Work, given: unknown[]): Promise<unknown> {
    await this.#travel();
    const answer = await method(
      ...given.map((one) =>
        typeof one === 'function' ? (...news: unknown[]) => this.#callBack(one as Work, news) : one,
      ),
    );
    await this.#travel();
    if (this.lossRate > 0 && this.#random.chance(this.lossRate)) throw lost();
    return answer;
  }

  async #callBack(work: Work, news: unknown[]): Promise<unknown> {
    await this.#travel();
    const answer = await new Promise((resolve, reject) => {
      this.#awaited.add(reject);
      this.#process.enter(() => {
        work(...news)
          .finally(() => this.#awaited.delete(reject))
          .then(resolve, reject);
      });
    });
    await this.#travel();
    return answer;
  }

  async #travel(): Promise<void> {
    const delayMs = LATENCY_MS + LATENCY_SPREAD_MS * this.#random.next() ** 3;
    const { life } = this.#server;
    await this.#clock.sleep(delayMs * this.#server.slowness);
    if (!this.cut && this.#server.up && this.#server.life === life) return;
    // Refused at once, or nobody answers.
    if (this.cut || this.#random.chance(0.3)) await this.#clock.sleep(TIMEOUT_MS * this.#random.next());
    throw lost();
  }
}

function lost(): Fault {
  return new Fault('unavailable', 'simulated: connection lost');
}
