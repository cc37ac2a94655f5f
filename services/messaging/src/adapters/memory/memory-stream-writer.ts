import type { StreamAppend, StreamMessage, StreamWriter } from '../../ports.ts';
import type { MemoryConnection } from './memory-connection.ts';
import type { MemoryRedis } from './memory-redis.ts';

export class MemoryStreamWriter implements StreamWriter {
  readonly #redis: MemoryRedis;
  readonly #connection: MemoryConnection;

  constructor(redis: MemoryRedis, connection: MemoryConnection) {
    this.#redis = redis;
    this.#connection = connection;
  }

  get available(): boolean {
    return this.#connection.up;
  }

  async append(partition: number, entries: readonly StreamMessage[]): Promise<StreamAppend> {
    if (!this.#connection.up) return { appended: 0, failure: { kind: 'outage', reason: 'NOT_CONNECTED' } };
    // Shared with the command, so that a reply that is lost says how much was acknowledged: nothing.
    let poisoned: number | undefined;
    try {
      return await this.#connection.call(() => {
        const { condition } = this.#redis;
        if (condition !== undefined) return { appended: 0, failure: { kind: 'outage', reason: condition } };
        for (const [i, entry] of entries.entries()) {
          if (this.#redis.breaksOn(entry)) {
            poisoned = i;
            this.#connection.break();
            break;
          }
          const refusal = this.#redis.refuses(entry);
          if (refusal !== undefined) return { appended: i, failure: { kind: 'entry', reason: refusal } };
          this.#redis.stream(partition).add({ message: entry });
          this.#redis.wakeBlocked();
        }
        return { appended: entries.length };
      });
    } catch {
      if (poisoned !== undefined && this.#redis.up) this.#connection.restore();
      return { appended: poisoned ?? 0, failure: { kind: 'connection', reason: 'CLOSED' } };
    }
  }

  async ping(): Promise<boolean> {
    try {
      return await this.#connection.call(() => true);
    } catch {
      return false;
    }
  }

  onMemoryLost(listener: () => void): void {
    this.#connection.onReady(listener);
  }
}
