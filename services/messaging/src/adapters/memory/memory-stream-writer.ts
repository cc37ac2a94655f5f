import type { StreamAppend, StreamMessage, StreamServer, StreamWriter } from '../../ports.ts';
import type { MemoryConnection } from './memory-connection.ts';
import type { MemoryRedis } from './memory-redis.ts';

export class MemoryStreamWriter implements StreamWriter {
  readonly connection: MemoryConnection;
  readonly #redis: MemoryRedis;

  constructor(redis: MemoryRedis, connection: MemoryConnection) {
    this.#redis = redis;
    this.connection = connection;
  }

  get available(): boolean {
    return this.connection.up;
  }

  async append(partition: number, entries: readonly StreamMessage[]): Promise<StreamAppend> {
    if (!this.connection.up) return { appended: 0, failure: { kind: 'outage', reason: 'NOT_CONNECTED' } };
    // Shared with the command, so that a reply that is lost says how much was acknowledged: nothing.
    let poisoned: number | undefined;
    try {
      return await this.connection.call(() => {
        const { condition } = this.#redis;
        if (condition !== undefined) return { appended: 0, failure: { kind: 'outage', reason: condition } };
        let appended = 0;
        let refusal: string | undefined;
        for (const entry of entries) {
          if (this.#redis.breaksOn(entry)) poisoned = appended;
          else refusal = this.#redis.refuses(entry);
          if (poisoned !== undefined || refusal !== undefined) break;
          this.#redis.stream(partition).add({ message: entry });
          appended += 1;
        }
        // Whoever waits is served after the whole command, as Redis does.
        this.#redis.wakeBlocked();
        if (poisoned !== undefined) this.connection.break();
        return refusal === undefined
          ? { appended }
          : { appended, failure: { kind: 'entry', reason: refusal } };
      });
    } catch {
      if (poisoned !== undefined && this.#redis.up) this.connection.restore();
      return { appended: poisoned ?? 0, failure: { kind: 'connection', reason: 'CLOSED' } };
    }
  }

  async ping(): Promise<boolean> {
    try {
      return await this.connection.call(() => true);
    } catch {
      return false;
    }
  }

  onConnected(listener: (server: StreamServer) => void): void {
    const tell = (reconnected: boolean) =>
      listener({ life: this.#redis.life, reconnected, downMs: this.connection.downMs });
    if (this.connection.up) queueMicrotask(() => tell(false));
    this.connection.onReady(() => tell(true));
  }
}
