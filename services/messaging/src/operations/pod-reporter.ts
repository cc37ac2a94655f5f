import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Fleet } from './fleet.ts';
import type { PodBus } from './pod-bus.ts';
import type { PodFigures } from './pod-figures.ts';

const EVERY_MS = 1000;

export interface PodFiguresTable {
  write(figures: PodFigures): Promise<void>;
  forget(instance: string): Promise<void>;
}

/**
 * Says every second what this pod does: over the bus, and into a table, so that one of the two stores may be away.
 * Neither is waited for: a store that hangs delays no figure.
 */
export class PodReporter {
  readonly #read: () => Promise<PodFigures>;
  readonly #fleet: Fleet;
  readonly #bus: PodBus;
  readonly #table: PodFiguresTable;
  readonly #clock: Clock;
  readonly #log: Log;
  #writing: Promise<void> | undefined;
  #instance: string | undefined;
  #failing = false;

  constructor(options: {
    read: () => Promise<PodFigures>;
    fleet: Fleet;
    bus: PodBus;
    table: PodFiguresTable;
    clock: Clock;
    log: Log;
  }) {
    this.#read = options.read;
    this.#fleet = options.fleet;
    this.#bus = options.bus;
    this.#table = options.table;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.report();
      await this.#clock.sleep(EVERY_MS, signal);
    }
    await this.#writing;
    await this.#leave();
  }

  async report(): Promise<void> {
    const figures = await this.#read();
    this.#instance = figures.instance;
    this.#fleet.hear(figures);
    void this.#bus.say({ kind: 'figures', figures });
    this.#writing ??= this.#write(figures).finally(() => (this.#writing = undefined));
  }

  async #write(figures: PodFigures): Promise<void> {
    try {
      await this.#table.write(figures);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn('pod_figures_not_written', { reason: reasonOf(error) });
      this.#failing = true;
    }
  }

  async #leave(): Promise<void> {
    if (this.#instance === undefined) return;
    await this.#bus.say({ kind: 'bye', instance: this.#instance });
    // What could not be forgotten looks as if it had been killed, for an hour.
    await this.#table.forget(this.#instance).catch(() => undefined);
  }
}
