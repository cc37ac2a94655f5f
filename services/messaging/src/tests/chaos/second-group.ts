import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import type { History } from '../history/history.ts';
import { payloadHash } from '../history/payload-hash.ts';
import { STREAM } from './chaos-world.ts';

type Entry = [id: string, fields: string[]];

const BLOCK_MS = 500;
const COUNT = 500;
const COMES_BACK_MS = 50;
const ENDS_WITHIN_MS = 10_000;

/** How it gets a connection to whatever Redis is the present one. */
type WithRedis = <T>(use: (redis: Redis) => Promise<T>) => Promise<T>;

/**
 * Somebody else who reads the stream, as an application's own group does, and writes down every entry. Clients do not
 * notice what the stream loses or puts in a wrong order: the slow path heals it for them. It knows its place itself,
 * so that a Redis that has forgotten its groups does not make it lose any.
 */
export class SecondGroup {
  readonly #withRedis: WithRedis;
  readonly #history: History;
  #last = '0-0';
  #isOver = false;
  #reading: Promise<void> = Promise.resolve();

  constructor(withRedis: WithRedis, history: History) {
    this.#withRedis = withRedis;
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
      const isDone = await this.#withRedis((redis) => this.#readOn(redis)).catch(() => false);
      if (isDone || this.#isOver) return;
      await delay(COMES_BACK_MS);
    }
  }

  /** Until the connection breaks, or, once it is to end, nothing is left. */
  async #readOn(redis: Redis): Promise<boolean> {
    for (;;) {
      const wasOver = this.#isOver;
      const answer = await redis.xread('COUNT', COUNT, 'BLOCK', BLOCK_MS, 'STREAMS', STREAM, this.#last);
      const entries = (answer?.[0]?.[1] ?? []) as Entry[];
      for (const entry of entries) this.#take(entry);
      if (wasOver && entries.length === 0) return true;
    }
  }

  #take([id, flat]: Entry): void {
    this.#last = id;
    const field = (name: string) => flat[flat.indexOf(name) + 1]!;
    // The service's own synthetic messages: nobody posted them.
    if (field('event_type') === 'SyntheticProbe') return;
    this.#history.append({
      type: 'entry',
      conversationId: field('conversation_id'),
      seq: Number(field('seq')),
      messageId: field('message_id'),
      hash: payloadHash(JSON.parse(field('payload'))),
      epoch: Number(field('epoch')),
      replay: Number(field('replay')),
      resent: Number(field('resent')),
    });
  }
}
