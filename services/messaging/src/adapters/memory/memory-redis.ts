import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { StreamMessage } from '../../ports.ts';
import type { Sealed } from '../../sealed.ts';
import { MemoryConnection } from './memory-connection.ts';
import { MemoryStream } from './memory-stream.ts';
import { MemoryStreamReader, type MemoryStreamReaderOptions } from './memory-stream-reader.ts';
import { MemoryStreamWriter } from './memory-stream-writer.ts';

export interface MemoryRedisOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly maxLength?: number;
  /** How long a command is under way, each way; default: 0. */
  readonly latencyMs?: () => number;
}

/**
 * The streams of one Redis, and the faults that a test or a simulation wants of it. Writers and readers are
 * connections: each breaks on its own, and comes back as soon as the server is up.
 */
export class MemoryRedis {
  /** Says why Redis refuses an entry for its own sake. */
  refuses: (entry: StreamMessage) => string | undefined = () => undefined;
  /** An entry at which the connection breaks. */
  breaksOn: (entry: StreamMessage) => boolean = () => false;
  /** Out of memory, read-only: connections live, and appending fails. */
  condition: string | undefined;
  readonly #options: Required<MemoryRedisOptions>;
  readonly #streams = new Map<number, MemoryStream>();
  readonly #connections = new Set<MemoryConnection>();
  readonly #blocked = new Set<() => void>();
  #up = true;
  #lives = 1;

  constructor({ maxLength = 1_000_000, latencyMs = () => 0, ...options }: MemoryRedisOptions) {
    this.#options = { ...options, maxLength, latencyMs };
  }

  get up(): boolean {
    return this.#up;
  }

  /** See StreamServer. */
  get life(): string {
    return `life-${this.#lives}`;
  }

  /** Entries that were handed out and not acknowledged, and those that a group has not read, over all partitions. */
  unsettled(group: string): number {
    return [...this.#streams.values()].reduce(
      (sum, stream) => sum + (stream.group(group)?.unsettled ?? 0),
      0,
    );
  }

  writer(): MemoryStreamWriter {
    return new MemoryStreamWriter(this, this.#connect());
  }

  reader(options: MemoryStreamReaderOptions): MemoryStreamReader {
    const { clock, log } = this.#options;
    return new MemoryStreamReader(this, { ...options, clock, log, connection: this.#connect() });
  }

  /** Unreachable: every connection breaks, and none is made. */
  goDown(): void {
    this.#up = false;
    for (const connection of this.#connections) connection.break();
  }

  comeUp(): void {
    this.#up = true;
    for (const connection of this.#connections) connection.restore();
  }

  /** Every connection breaks, and is made again. */
  loseConnections(): void {
    this.goDown();
    this.comeUp();
  }

  /** While it is down: it will come up as another server, and empty. */
  loseMemory(): void {
    this.#lives += 1;
    this.flushAll();
  }

  /** Everything on it is gone, groups included; connections live. */
  flushAll(): void {
    this.#streams.clear();
    this.wakeBlocked();
  }

  /** As `XGROUP DESTROY` on every partition: what was pending is nobody's. */
  destroyGroup(name: string): void {
    for (const stream of this.#streams.values()) stream.destroyGroup(name);
    this.wakeBlocked();
  }

  trim(partition: number, length: number): void {
    this.stream(partition).trim(length);
  }

  addMalformed(partition: number, content: { readonly reason: string; readonly fields: Sealed }): string {
    const id = this.stream(partition).add(content);
    this.wakeBlocked();
    return id;
  }

  /** A partition, made if it does not exist. */
  stream(partition: number): MemoryStream {
    let stream = this.#streams.get(partition);
    if (stream === undefined) {
      stream = new MemoryStream(partition === 0 ? 'memory' : `memory:${partition}`, this.#options);
      this.#streams.set(partition, stream);
    }
    return stream;
  }

  /** All that exist, and the first `configured`. */
  partitions(configured: number): number[] {
    const all = new Set(this.#streams.keys());
    for (let partition = 0; partition < configured; partition++) all.add(partition);
    return [...all].toSorted((a, b) => a - b);
  }

  /** Calls `wake` when something changes that a blocked read waits for, until what it returns is called. */
  onChange(wake: () => void): () => void {
    this.#blocked.add(wake);
    return () => void this.#blocked.delete(wake);
  }

  wakeBlocked(): void {
    for (const wake of [...this.#blocked]) wake();
  }

  #connect(): MemoryConnection {
    const { clock, latencyMs } = this.#options;
    const connection = new MemoryConnection({ clock, latencyMs, up: this.#up });
    this.#connections.add(connection);
    return connection;
  }
}
