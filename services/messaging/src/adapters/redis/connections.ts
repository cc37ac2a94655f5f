import { Redis, type ChainableCommander } from 'ioredis';
import { jittered, systemClock, type Clock, type Timer } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { RedisFault, toRedisFault } from './redis-fault.ts';

/** A command without a reply for this long ends its connection. */
export const REDIS_COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 1_000;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MAX_MS = 1_000;

export interface RedisConnectionOptions {
  readonly url: string;
  /** What the connection is for; shown by `CLIENT LIST`. */
  readonly name: string;
  readonly log: Log;
  readonly clock?: Clock;
}

/** What a server says of itself in `INFO`. */
export interface ServerInfo {
  readonly runId: string;
  /** Changes with a restart (the run id does) and with a promotion (the replication id does). */
  readonly life: string;
  readonly role: string;
  readonly loading: boolean;
}

type ReadyListener = (client: Redis, server: ServerInfo) => void;

/** One TCP connection, and why it ended. */
interface Link {
  readonly client: Redis;
  lost: string | undefined;
}

/**
 * A connection to the primary that is made again whenever it breaks. Each use has its own: blocking reads,
 * subscriptions, the dispatcher's commands, the consumer's commands, publishing.
 *
 *   connecting → checking → ready → lost → (back-off) → connecting …        close() ends it from anywhere
 *
 * checking: `INFO` must say that the server has loaded its data and is a primary.
 *
 * Each round is a driver client of its own that never reconnects. So a reply belongs to exactly one generation,
 * every command under way fails when its connection ends, and nothing is queued or sent a second time: the
 * driver's own reconnection would send a pipeline that its caller gave up minutes before.
 */
export class RedisConnection {
  readonly #options: RedisConnectionOptions;
  readonly #clock: Clock;
  readonly #onReady: ReadyListener[] = [];
  readonly #onLost: (() => void)[] = [];
  #link: Link | undefined;
  #opening: Redis | undefined;
  #retry: Timer | undefined;
  #attempts = 0;
  #generation = 0;
  /** Monotonic milliseconds: when the last connection was lost. */
  #lostAt: number | undefined;
  #started = false;
  #closed = false;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get ready(): boolean {
    return this.#link !== undefined;
  }

  /** Counts the connections made: 0 before the first. */
  get generation(): number {
    return this.#generation;
  }

  /** For how long there has been no connection since the last one; 0 before the first. */
  get downMs(): number {
    return this.#lostAt === undefined ? 0 : this.#clock.monotonic() - this.#lostAt;
  }

  /** `listener` hears of each connection made, before anything is sent on it. */
  onReady(listener: ReadyListener): void {
    this.#onReady.push(listener);
  }

  onLost(listener: () => void): void {
    this.#onLost.push(listener);
  }

  /** Begins to connect; safe to call twice. */
  start(): void {
    if (this.#started || this.#closed) return;
    this.#started = true;
    void this.#connect();
  }

  /** Whether it is ready within `timeoutMs`. */
  whenReady(timeoutMs: number): Promise<boolean> {
    if (this.#link !== undefined || this.#closed) return Promise.resolve(this.#link !== undefined);
    return new Promise((resolve) => {
      const finish = (ready: boolean) => {
        timer.cancel();
        const place = this.#onReady.indexOf(arrived);
        if (place >= 0) this.#onReady.splice(place, 1);
        resolve(ready);
      };
      const arrived = () => finish(true);
      const timer = this.#clock.setTimer(timeoutMs, () => finish(false));
      this.#onReady.push(arrived);
    });
  }

  /**
   * Runs commands on the present connection. Without their replies after `timeoutMs` the connection is destroyed.
   * @throws RedisFault
   */
  async run<T>(use: (client: Redis) => Promise<T>, timeoutMs = REDIS_COMMAND_TIMEOUT_MS): Promise<T> {
    const link = this.#link;
    if (link === undefined) throw new RedisFault('outage', 'NOT_CONNECTED');
    let timer: Timer | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        timer = this.#clock.setTimer(timeoutMs, () => {
          reject(new RedisFault('outage', 'TIMEOUT'));
          this.#lose(link, 'TIMEOUT');
        });
        use(link.client).then(resolve, reject);
      });
    } catch (error) {
      const fault = toRedisFault(error);
      // Demoted: the primary is elsewhere, behind the same address.
      if (fault.reason === 'READONLY') this.#lose(link, 'READONLY');
      if (fault.kind !== 'connection') throw fault;
      // Closed because another command had waited too long: Redis is slow, and this command not to blame.
      if (link.lost === 'TIMEOUT') throw new RedisFault('outage', 'TIMEOUT');
      // Redis says why it hangs up before it does: nothing more is to be sent on this one.
      this.#lose(link, fault.reason);
      throw fault;
    } finally {
      timer?.cancel();
    }
  }

  /** Runs a pipeline; the first error among its replies is thrown. */
  async pipeline(fill: (pipeline: ChainableCommander) => void, timeoutMs?: number): Promise<unknown[]> {
    const replies = await this.run(async (client) => {
      const pipeline = client.pipeline();
      fill(pipeline);
      return pipeline.exec();
    }, timeoutMs);
    return (replies ?? []).map(([error, reply]) => {
      if (error) throw toRedisFault(error);
      return reply;
    });
  }

  /** Destroys the present connection; the next one is made as after any loss. */
  drop(reason: string): void {
    if (this.#link !== undefined) this.#lose(this.#link, reason);
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    if (this.#opening !== undefined) destroy(this.#opening);
    this.drop('CLOSE');
  }

  async #connect(): Promise<void> {
    const { url, name, log } = this.#options;
    const client = new Redis(url, {
      lazyConnect: true,
      connectionName: `sanctum-${name}`,
      connectTimeout: CONNECT_TIMEOUT_MS,
      retryStrategy: null,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
    });
    this.#opening = client;
    // Each error is followed by `close`, which is what counts.
    client.on('error', () => {});
    const link: Link = { client, lost: undefined };
    client.once('close', () => this.#lose(link, 'CLOSED'));
    try {
      const server = await this.#check(client);
      if (link.lost !== undefined || this.#closed) throw new RedisFault('connection', 'CLOSED');
      this.#opening = undefined;
      this.#link = link;
      this.#attempts = 0;
      this.#generation += 1;
      log.info('redis_connected', { connection: name, generation: this.#generation, run_id: server.runId });
      for (const listener of [...this.#onReady]) listener(client, server);
    } catch (error) {
      this.#opening = undefined;
      destroy(client);
      if (this.#attempts === 0)
        log.warn('redis_unavailable', { connection: name, reason: toRedisFault(error).reason });
      this.#retryLater();
    }
  }

  /** A frozen host accepts connections and says nothing, so the whole of it has one bound. */
  #check(client: Redis): Promise<ServerInfo> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(CONNECT_TIMEOUT_MS, () =>
        reject(new RedisFault('outage', 'TIMEOUT')),
      );
      const check = async () => {
        await client.connect();
        const server = parseServerInfo(await client.info());
        if (server.loading) throw new RedisFault('outage', 'LOADING');
        if (server.role !== 'master') throw new RedisFault('outage', 'NOT_PRIMARY');
        return server;
      };
      void check()
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }

  #lose(link: Link, reason: string): void {
    if (link.lost !== undefined) return;
    link.lost = reason;
    destroy(link.client);
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#lostAt = this.#clock.monotonic();
    if (!this.#closed) this.#options.log.warn('redis_lost', { connection: this.#options.name, reason });
    for (const listener of [...this.#onLost]) listener();
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#closed) return;
    const delayMs = Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** Math.min(this.#attempts, 10));
    this.#attempts += 1;
    this.#retry = this.#clock.setTimer(jittered(this.#clock, delayMs), () => void this.#connect());
  }
}

export function parseServerInfo(info: string): ServerInfo {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const runId = field('run_id');
  const life = `${runId}:${field('master_replid')}`;
  return { runId, life, role: field('role'), loading: field('loading') === '1' };
}

/** The driver's own `disconnect` waits two seconds for the other side's goodbye. */
function destroy(client: Redis): void {
  client.disconnect();
  (client as { stream?: Redis['stream'] }).stream?.destroy();
}
