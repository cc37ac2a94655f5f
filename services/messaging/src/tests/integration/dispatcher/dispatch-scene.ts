import { tooLargeAbove } from '@sanctum/protocol';
import { Redis } from 'ioredis';
import pg from 'pg';
import { PostgresDispatchLog } from '../../../adapters/postgres/dispatch-log.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { decodeStreamEntry } from '../../../adapters/redis/stream-entry.ts';
import { RedisStreamWriter } from '../../../adapters/redis/redis-stream-writer.ts';
import { streamName } from '../../../adapters/redis/stream-names.ts';
import { systemClock } from '../../../clock.ts';
import { Dispatcher } from '../../../dispatcher/dispatcher.ts';
import { createMetrics } from '../../../metrics.ts';
import type { StreamEntry } from '../../../ports.ts';
import { RecordedLog } from '../../support/recorded-log.ts';

const STREAM = 'sanctum:messages';

export interface OutboxState {
  readonly conversation: string;
  readonly seq: number;
  readonly status: string;
  readonly attempts: number;
  readonly error: string | null;
  readonly replayNo: number;
}

/** A database, a Redis, and dispatchers between them. `endDispatchScenes` ends all of it. */
export class DispatchScene {
  readonly log = new RecordedLog();
  readonly metrics = createMetrics({ dispatcher: true, consumer: false });
  readonly db: pg.Client;
  readonly redis: Redis;
  readonly #databaseUrl: string;
  readonly #redisUrl: string;
  readonly #ends: (() => Promise<unknown>)[] = [];

  private constructor(databaseUrl: string, redisUrl: string) {
    this.#databaseUrl = databaseUrl;
    this.#redisUrl = redisUrl;
    this.db = new pg.Client(databaseUrl);
    this.redis = new Redis(redisUrl);
    this.redis.on('error', () => {});
  }

  static async open(databaseUrl: string, redisUrl: string): Promise<DispatchScene> {
    const scene = new DispatchScene(databaseUrl, redisUrl);
    await scene.db.connect();
    await scene.redis.flushdb();
    scenes.push(scene);
    return scene;
  }

  dispatcher(
    settings: {
      batchSize?: number;
      maxAttempts?: number;
      partitions?: number;
      payloadLimitBytes?: number;
    } = {},
  ): Dispatcher {
    const {
      batchSize = 256,
      maxAttempts = 10,
      partitions = 1,
      payloadLimitBytes = tooLargeAbove(65_536),
    } = settings;
    const pool = new PostgresPool({
      url: this.#databaseUrl,
      applicationName: 'dispatcher-test',
      maxConnections: 8,
      callTimeoutMs: 5_000,
    });
    const writer = new RedisStreamWriter({
      url: this.#redisUrl,
      stream: STREAM,
      maxLength: 1_000_000,
      log: this.log,
    });
    writer.start();
    const dispatcher = new Dispatcher({
      log: new PostgresDispatchLog(pool, { payloadLimitBytes }),
      writer,
      metrics: this.metrics,
      logger: this.log,
      clock: systemClock,
      settings: { tickMs: 20, batchSize, maxAttempts, partitions },
    });
    this.#ends.push(async () => {
      await dispatcher.stop();
      writer.close();
      await pool.end();
    });
    return dispatcher;
  }

  /** Rows as an operator types them, `payload` the same in each. */
  async insert(
    conversation: string,
    count: number,
    payload: unknown = { ciphertext: 'dGVzdA==' },
  ): Promise<void> {
    await this.db.query(
      `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
       SELECT gen_random_uuid(), gen_random_uuid(), 'MessageCreated', $1, $3 FROM generate_series(1, $2)`,
      [conversation, count, JSON.stringify(payload)],
    );
  }

  async outbox(): Promise<OutboxState[]> {
    const { rows } = await this.db.query<OutboxState>(
      `SELECT aggregate_id AS conversation, seq::float8 AS seq, status, attempts, last_error AS error, replay_no AS "replayNo"
       FROM messaging.message_outbox ORDER BY aggregate_id, seq`,
    );
    return rows;
  }

  async countOf(status: string): Promise<number> {
    const { rows } = await this.db.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM messaging.message_outbox WHERE status = $1',
      [status],
    );
    return rows[0]?.count ?? 0;
  }

  /** What stands on a partition, in order. */
  async streamed(partition = 0): Promise<StreamEntry[]> {
    const stream = streamName(STREAM, partition);
    const entries = await this.redis.xrange(stream, '-', '+');
    return entries.map(([entryId, fields]) =>
      decodeStreamEntry({ stream, entryId, deliveries: 1 }, fields, Number.MAX_SAFE_INTEGER),
    );
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0)) await end();
    this.redis.disconnect();
    await this.db.end();
  }
}

const scenes: DispatchScene[] = [];

export async function endDispatchScenes(): Promise<void> {
  for (const scene of scenes.splice(0)) await scene.end();
}
