import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  ensurePostgres,
  ensureRedis,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
} from '@sanctum/local-servers';
import pg from 'pg';
import { migrate } from '../../adapters/postgres/migrate.ts';
import type { PodProcess } from '../support/pod.ts';
import { partitionMs, RETENTION_PARTITIONS, type SoakOptions, streamMaxLength } from './soak-options.ts';
import { spawnSoakPod } from './soak-pod.ts';

/** PostgreSQL, Redis and pods of one soak, all of its own. */
export class SoakServers {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly pods: PodProcess[] = [];
  readonly #folder: string;

  private constructor(servers: { postgres: PostgresServer; redis: RedisServer; folder: string }) {
    this.postgres = servers.postgres;
    this.redis = servers.redis;
    this.#folder = servers.folder;
  }

  static async start(options: SoakOptions, progress: (line: string) => void): Promise<SoakServers> {
    const binaries = await ensurePostgres({ progress });
    await ensureRedis({ progress });
    const folder = await mkdtemp(path.join(tmpdir(), 'sanctum-soak-'));
    const postgres = await startPostgres({
      dataDir: path.join(folder, 'postgres'),
      binaries,
      database: 'messaging_soak',
    });
    const redis = await startRedis({ dir: path.join(folder, 'redis') });
    const servers = new SoakServers({ postgres, redis, folder });
    try {
      await migrate(postgres.url);
      if (options.squeezed) await squeezePartitions(postgres.url, partitionMs(options));
      for (let n = 1; n <= options.pods; n += 1) servers.pods.push(await servers.#pod(n, options));
    } catch (error) {
      await servers.stop();
      throw error;
    }
    return servers;
  }

  #pod(n: number, options: SoakOptions): Promise<PodProcess> {
    return spawnSoakPod({
      postgresUrl: this.postgres.url,
      redisUrl: this.redis.url,
      env: {
        CONSUMER_NAME: `soak-${n}`,
        OUTBOX_RETENTION_DAYS: String(RETENTION_PARTITIONS),
        DLQ_RETENTION_DAYS: String(RETENTION_PARTITIONS),
        REDIS_STREAM_MAXLEN: String(streamMaxLength(options)),
      },
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.stop().catch(() => undefined)));
    await this.redis.stop();
    await this.postgres.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Before anything was written: partitions of this span instead of a day's. All that the service does by time follows it. */
async function squeezePartitions(url: string, spanMs: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT i.inhrelid::regclass::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = 'messaging.message_outbox_days'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'`,
    );
    for (const { name } of rows) await client.query(`DROP TABLE ${name}`);
    await client.query(`UPDATE messaging.installation SET partition_span = $1 * interval '1 millisecond'`, [
      spanMs,
    ]);
  } finally {
    await client.end();
  }
}
