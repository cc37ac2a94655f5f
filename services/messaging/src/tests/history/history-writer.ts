import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeEvent } from './history-codec.ts';
import type { History, HistoryEvent, UnstampedEvent } from './history.ts';

/** How far the wall clock may move against the monotonic one before the history notes it. */
const WALL_DRIFT_MS = 5;
const BUFFER_CHARACTERS = 256 * 1024;

export interface HistoryClock {
  /** Shared by all processes whose histories are to be merged. */
  monotonic(): number;
  now(): number;
}

/** CLOCK_MONOTONIC, the same in every process of a machine; `performance.now` begins anew in each. */
export const machineClock: HistoryClock = {
  monotonic: () => Number(process.hrtime.bigint()) / 1e6,
  now: () => Date.now(),
};

export interface HistoryOptions {
  readonly process: string;
  readonly clock?: HistoryClock;
  /** The run appends `commit` events. */
  readonly seesCommits?: boolean;
  /** Every `prune` stands in the history, with its places. */
  readonly seesExpiry?: boolean;
}

/** Puts the time to each event and hands it on; opens the history with `begin`. */
export class StampedHistory implements History {
  readonly #clock: HistoryClock;
  readonly #sink: (event: HistoryEvent) => void;
  #wallAhead: number;

  constructor(sink: (event: HistoryEvent) => void, options: HistoryOptions) {
    this.#sink = sink;
    this.#clock = options.clock ?? machineClock;
    const at = this.#clock.monotonic();
    const wallMs = this.#clock.now();
    this.#wallAhead = wallMs - at;
    const { process, seesCommits, seesExpiry } = options;
    sink({ type: 'begin', at, process, wallMs, seesCommits, seesExpiry });
  }

  append(event: UnstampedEvent): void {
    const at = this.#clock.monotonic();
    const wallMs = this.#clock.now();
    if (Math.abs(wallMs - at - this.#wallAhead) > WALL_DRIFT_MS) {
      this.#wallAhead = wallMs - at;
      this.#sink({ type: 'wall', at, wallMs });
    }
    this.#sink({ ...event, at });
  }
}

/** A history in a file of its own. What was appended is in the file after `flush` or `close`. */
export class HistoryWriter implements History {
  readonly #file: number;
  readonly #stamped: StampedHistory;
  #buffer = '';

  /** Makes or empties the file. */
  constructor(path: string, options: HistoryOptions) {
    this.#file = openSync(path, 'w');
    this.#stamped = new StampedHistory((event) => this.#write(event), options);
  }

  append(event: UnstampedEvent): void {
    this.#stamped.append(event);
  }

  flush(): void {
    const bytes = Buffer.from(this.#buffer);
    this.#buffer = '';
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }

  #write(event: HistoryEvent): void {
    this.#buffer += `${encodeEvent(event)}\n`;
    if (this.#buffer.length >= BUFFER_CHARACTERS) this.flush();
  }
}
