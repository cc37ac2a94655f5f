import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import type { History } from '../history/history.ts';
import { streamEntry } from '../history/stream-entry.ts';
import { STREAM } from './chaos-world.ts';

type Entry = [id: string, fields: string[]];

const BLOCK_MS = 500;
const COUNT = 500;
const COMES_BACK_MS = 50;
const ENDS_WITHIN_MS = 10_000;

/** Where the stream is. */
interface Primary {
  /** The present one. */
  readonly url: () => string;
  readonly connected: <T>(use: (redis: Redis) => Promise<T>, url: string) => Promise<T>;
}

/**
 * Somebody else who reads the stream, as an application's own group does, and writes down every entry. Clients do not
 * notice what the stream loses or puts in a wrong order: the slow path heals it for them. It knows its place itself,
 * so that a Redis that has forgotten its groups does not make it lose any.
 */
export class SecondGroup {
  readonly #primary: Primary;
  readonly #history: History;
  #last = '0-0';
  #isOver = false;
  #reading: Promise<void> = Promise.resolve();

  constructor(primary: Primary, history: History) {
    this.#primary = primary;
    this.#history = history;
  }

  start(): void {
    this.#reading = this.#run();
  }

  /** Ends once it has read what lies on the stream, or where no Redis answers. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.race([this.#reading, delay(ENDS_WITHIN_MS, undefined, { ref: false })]);
  }

  async #run(): Promise<void> {
    for (;;) {
      const url = this.#primary.url();
      const isDone = await this.#primary
        .connected((redis) => this.#readOn(redis, url), url)
        .catch(() => false);
      const hasMoved = this.#primary.url() !== url;
      if (isDone || (this.#isOver && !hasMoved)) return;
      await delay(COMES_BACK_MS);
    }
  }

  /** Until the connection breaks, another one is the primary, or, once it is to end, nothing is left. */
  async #readOn(redis: Redis, url: string): Promise<boolean> {
    while (this.#primary.url() === url) {
      const wasOver = this.#isOver;
      const answer = await redis.xread('COUNT', COUNT, 'BLOCK', BLOCK_MS, 'STREAMS', STREAM, this.#last);
      const entries = (answer?.[0]?.[1] ?? []) as Entry[];
      for (const entry of entries) this.#take(entry);
      if (wasOver && entries.length === 0) return true;
    }
    return false;
  }

  #take([id, flat]: Entry): void {
    this.#last = id;
    const entry = streamEntry(flat);
    if (entry !== undefined) this.#history.append(entry);
  }
}
