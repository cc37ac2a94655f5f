import { fullJitterMs } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { Pause } from '../connection/pause.ts';

/** Lanes that act at the same time; the others wait for their turn. */
const ACTING_MAX = 8;
const BACKOFF = { baseMs: 500, capMs: 30_000 };

/** It is there while it has items: waiting for its turn, acting or pausing. */
interface Lane<T> {
  readonly name: string;
  readonly items: T[];
  failures: number;
  pause: Pause | undefined;
}

export interface LanesOptions<T> {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** One try; undefined where the item is done with, else the least pause before the next try. */
  readonly act: (item: T) => Promise<{ floorMs: number } | undefined>;
}

/**
 * Items in order in each lane, lanes beside each other. Where a try fails, its lane pauses with full jitter, and
 * holds up no other.
 */
export class Lanes<T> {
  readonly #options: LanesOptions<T>;
  readonly #lanes = new Map<string, Lane<T>>();
  readonly #waiting: Lane<T>[] = [];
  /** None may before `begin`. */
  #acting = ACTING_MAX;

  constructor(options: LanesOptions<T>) {
    this.#options = options;
    options.signal.addEventListener('abort', () => {
      for (const { pause } of this.#lanes.values()) pause?.end();
    });
  }

  begin(): void {
    this.#acting = 0;
    this.#next();
  }

  add(name: string, item: T): void {
    const busy = this.#lanes.get(name);
    if (busy !== undefined) return void busy.items.push(item);
    const lane: Lane<T> = { name, items: [item], failures: 0, pause: undefined };
    this.#lanes.set(name, lane);
    this.#enqueue(lane);
  }

  /** The tries that are being paused for may succeed now. */
  wake(): void {
    for (const { pause } of this.#lanes.values()) pause?.cutShort();
  }

  #enqueue(lane: Lane<T>): void {
    this.#waiting.push(lane);
    this.#next();
  }

  #next(): void {
    while (this.#acting < ACTING_MAX && !this.#options.signal.aborted) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#acting++;
      void this.#run(next);
    }
  }

  async #run(lane: Lane<T>): Promise<void> {
    const { act, clock, signal } = this.#options;
    const again = await act(lane.items[0] as T).catch(() => ({ floorMs: 0 }));
    this.#acting--;
    if (again === undefined) {
      lane.failures = 0;
      lane.items.shift();
    } else if (!signal.aborted) {
      const { floorMs } = again;
      const lengthMs = fullJitterMs(clock, { ...BACKOFF, failures: lane.failures++, floorMs });
      lane.pause = new Pause(clock, { lengthMs, floorMs });
      // Its turn is another's meanwhile.
      this.#next();
      await lane.pause.over;
      lane.pause = undefined;
    }
    if (lane.items.length === 0) this.#lanes.delete(lane.name);
    else this.#enqueue(lane);
    this.#next();
  }
}
