import {
  ensurePostgres,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
} from '@sanctum/local-servers';
import { Redis } from 'ioredis';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { migrate } from '../../adapters/postgres/migrate.ts';
import { HistoryWriter } from '../history/history-writer.ts';
import { ChaosLoad, type LoadPlan } from './chaos-load.ts';
import { ChaosPod, type PodPlan } from './chaos-pod.ts';

export const STREAM = 'sanctum:messages';
export const GROUP = 'messaging-hub';
/** Short, so that clients notice soon that a connection is dead. */
const DEFAULT_HEARTBEAT_MS = 2000;
const BUNDLED_POSTGRES = 18;

/** One pod with each set of flags. */
const FLEET: readonly PodPlan[] = [
  { name: 'full', dispatcher: true, consumer: true },
  { name: 'dispatcher', dispatcher: true, consumer: false },
  { name: 'consumer', dispatcher: false, consumer: true },
  { name: 'plain', dispatcher: false, consumer: false },
];

export interface WorldPlan {
  /** The release of PostgreSQL. */
  readonly postgres: number;
  readonly pods?: readonly PodPlan[] | undefined;
  readonly load?: Partial<LoadPlan> | undefined;
  readonly redisArgs?: readonly string[] | undefined;
  readonly heartbeatMs?: number | undefined;
  /** Members do not go through the proxies, which cost as much as the pods where thousands connect at once. */
  readonly pastProxies?: boolean | undefined;
  /** Of every pod. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** Everything of one run: real servers, pods as processes behind proxies, members and publishers. */
export class ChaosWorld {
  readonly postgres: PostgresServer;
  /** The present primary. */
  redis: RedisServer;
  readonly pods: readonly ChaosPod[];
  readonly load: ChaosLoad;
  readonly history: HistoryWriter;
  readonly historyFile: string;
  readonly folder: string;
  readonly #ends: (() => Promise<unknown>)[];

  private constructor(
    parts: Pick<ChaosWorld, 'postgres' | 'redis' | 'pods' | 'load' | 'history' | 'historyFile' | 'folder'> & {
      readonly ends: (() => Promise<unknown>)[];
    },
  ) {
    this.postgres = parts.postgres;
    this.redis = parts.redis;
    this.pods = parts.pods;
    this.load = parts.load;
    this.history = parts.history;
    this.historyFile = parts.historyFile;
    this.folder = parts.folder;
    this.#ends = parts.ends;
  }

  /** All of it up, nobody connected yet. What had begun is ended again where the start fails. */
  static async start(plan: WorldPlan): Promise<ChaosWorld> {
    const ends: (() => Promise<unknown>)[] = [];
    try {
      return await this.#build(plan, ends);
    } catch (error) {
      await endAll(ends);
      throw error;
    }
  }

  static async #build(plan: WorldPlan, ends: (() => Promise<unknown>)[]): Promise<ChaosWorld> {
    const folder = await mkdtemp(path.join(tmpdir(), 'sanctum-chaos-'));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    const version = plan.postgres === BUNDLED_POSTGRES ? undefined : plan.postgres;
    const binaries = await ensurePostgres({ progress: console.error, version });
    const postgres = await startPostgres({
      dataDir: path.join(folder, 'postgres'),
      binaries,
      database: 'messaging_test',
      durable: false,
    });
    ends.push(() => postgres.stop());
    const redis = await startRedis({
      dir: path.join(folder, 'redis'),
      args: [...(plan.redisArgs ?? [])],
    });
    ends.push(() => redis.stop());
    await migrate(postgres.url);
    const heartbeatMs = plan.heartbeatMs ?? DEFAULT_HEARTBEAT_MS;
    const env = {
      WEBSOCKET_HEARTBEAT_INTERVAL_MS: String(heartbeatMs),
      WEBSOCKET_MAX_CLIENTS: '20000',
      ...plan.env,
    };
    const servers = { postgresUrl: postgres.url, redisUrl: redis.url };
    const pods: ChaosPod[] = [];
    for (const podPlan of plan.pods ?? FLEET) {
      const pod = await ChaosPod.place(podPlan, servers, env);
      ends.push(() => pod.end());
      pods.push(pod);
    }
    await Promise.all(pods.map((pod) => pod.start()));
    const historyFile = path.join(folder, 'history.ndjson');
    const history = new HistoryWriter(historyFile, { process: 'chaos' });
    ends.push(async () => history.close());
    const targets =
      plan.pastProxies === true ? pods.map(({ name, process }) => ({ ...process, name })) : pods;
    const load = new ChaosLoad(targets, { ...plan.load, heartbeatMs, history });
    ends.push(() => load.close());
    return new ChaosWorld({ postgres, redis, pods, load, history, historyFile, folder, ends });
  }

  pod(name: string): ChaosPod {
    const pod = this.pods.find((each) => each.name === name);
    if (pod === undefined) throw new Error(`there is no pod ${name}`);
    return pod;
  }

  /** What a failover does: another server is the primary, at the address that pods know; nobody is at the old one. */
  moveRedis(primary: RedisServer): void {
    this.redis = primary;
    for (const { links } of this.pods) {
      links.redis.targetPort = primary.port;
      links.redis.reset();
    }
  }

  /** Ends what a scenario has started beside the rest. */
  onEnd(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  /** Statements on a connection of its own, past all proxies. */
  readonly sql = <R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> =>
    this.withPostgres(async (client) => (await client.query<R>(text, values)).rows);

  async withPostgres<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: this.postgres.url, connectionTimeoutMillis: 5000 });
    // One that is ended under our hands fails its query; there is nobody else to tell.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Commands on a connection of its own, past all proxies. */
  async withRedis<T>(use: (redis: Redis) => Promise<T>, url = this.redis.url): Promise<T> {
    const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
    redis.on('error', () => undefined);
    await redis.connect();
    try {
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** Writes the history and the pods' logs to a folder, for whoever looks into a run that failed. */
  async keep(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    this.history.flush();
    await copyFile(this.historyFile, path.join(folder, 'history.ndjson'));
    for (const { name, logs } of this.pods) {
      const lines = logs.map((line) => `${JSON.stringify(line)}\n`);
      await writeFile(path.join(folder, `${name}.log`), lines.join(''));
    }
  }

  async end(): Promise<void> {
    await endAll(this.#ends);
  }
}

/** In the opposite order; one that fails does not keep the others from ending. */
async function endAll(ends: (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const end of ends.splice(0).reverse()) await end().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, 'not everything could be ended');
}
