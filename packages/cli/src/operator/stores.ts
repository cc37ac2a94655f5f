import { OperatorJobs } from '@sanctum/messaging/adapters/postgres/operator-jobs';
import { PodTable } from '@sanctum/messaging/adapters/postgres/pod-table';
import { OPERATIONS_TIMEOUT_MS, PostgresPool } from '@sanctum/messaging/adapters/postgres/pool';
import { RedisBusPublisher } from '@sanctum/messaging/adapters/redis/redis-bus-publisher';
import { RedisBusSubscriber } from '@sanctum/messaging/adapters/redis/redis-bus-subscriber';
import { StreamInspector } from '@sanctum/messaging/adapters/redis/stream-inspector';
import { PostgresOperations } from '@sanctum/messaging/adapters/postgres/operations';
import { type Config, loadConfig } from '@sanctum/messaging/config';
import { type Log, silentLog } from '@sanctum/messaging/log';
import type { PodFigures } from '@sanctum/messaging/operations/pod-figures';
import { Fleet } from '@sanctum/messaging/operations/fleet';
import { PodBus } from '@sanctum/messaging/operations/pod-bus';
import { PodQuestions } from '@sanctum/messaging/operations/pod-questions';
import type { Command } from 'commander';
import { UsageError } from '../cli-error.ts';
import { postgresUrl, withDatabase } from '../database.ts';
import type { Output } from '../output.ts';
import { given, type Shell } from '../shell.ts';
import { withLocalRun } from './local-run.ts';
import { operatorName } from './operator-name.ts';

/*
 * The operator's commands speak to PostgreSQL and Redis themselves, never to a pod: they work when no pod does, and
 * need no token. What only pods know they are asked over the bus, and the answer is missing where nobody answers.
 */

const REDIS_PATIENCE_MS = 1500;

export interface StoreOptions {
  readonly postgresUrl?: string;
  readonly redisUrl?: string;
  readonly json?: true;
  readonly yes?: true;
}

export interface Stores {
  readonly postgresUrl: string;
  readonly config: Config;
  readonly pool: PostgresPool;
  readonly jobs: OperatorJobs;
  readonly podTable: PodTable;
  readonly fleet: Fleet;
  readonly questions: PodQuestions;
  /** undefined: no Redis was named. One that is away is there, and fails. */
  readonly inspector: StreamInspector | undefined;
  /** Who does it, for the record. */
  readonly operator: string;
}

export function withStoreOptions(command: Command): Command {
  return command
    .option('--postgres-url <url>', 'the database (default: POSTGRES_URL, else DATABASE_URL)')
    .option('--redis-url <url>', 'the Redis (default: REDIS_URL)')
    .option('--json', 'print the result as JSON');
}

/** The settings that say where the stream is and how long things are kept; what pods need beside is not asked for. */
export function storeConfig(
  env: Shell['env'],
  urls: { postgres: string; redis: string | undefined },
): Config {
  const notOurs = {
    NODE_ENV: '',
    DATABASE_URL: '',
    HTTP_PORT: '',
    ADMIN_PORT: '',
    JWT_JWKS_URL: '',
    JWT_PUBLIC_KEY: '',
    // Never used: no token is made or checked here.
    JWT_SECRET: 'x'.repeat(32),
  };
  const REDIS_URL = urls.redis ?? 'redis://127.0.0.1:6379';
  return loadConfig({ ...env, ...notOurs, POSTGRES_URL: urls.postgres, REDIS_URL });
}

export function redisUrl(shell: Pick<Shell, 'env'>, options: StoreOptions): string | undefined {
  const url = options.redisUrl ?? given(shell.env, 'REDIS_URL');
  if (url === undefined || (URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol))) return url;
  throw new UsageError('the address of the Redis must begin with redis:// or rediss://');
}

/** Opens what the options name, runs `work`, and closes it all. `end` ends long work after its piece. */
export async function withStores<T>(
  caller: Shell,
  { options, output, end }: { options: StoreOptions; output: Output; end?: AbortSignal },
  work: (stores: Stores) => Promise<T>,
): Promise<T> {
  const shell = await withLocalRun(caller, options, output);
  const url = postgresUrl(shell, options, output);
  const redis = redisUrl(shell, options);
  const { clock } = shell;
  const log = silentLog;
  return withDatabase(url, async () => {
    const pool = new PostgresPool({
      url,
      applicationName: 'sanctum-cli',
      maxConnections: 3,
      callTimeoutMs: OPERATIONS_TIMEOUT_MS,
    });
    const closing: (() => unknown)[] = [];
    try {
      const installationId = await new PostgresOperations(pool).installationId();
      const podTable = new PodTable(pool);
      const said = await podTable.read();
      const config = storeConfig(asPodsHave(shell.env, said), { postgres: url, redis });
      const at = { url: redis ?? 'redis://127.0.0.1:1', log, installationId };
      const publisher = new RedisBusPublisher(at);
      const subscriber = new RedisBusSubscriber(at);
      const inspector = redis === undefined ? undefined : inspectorOf(config, log);
      const fleet = new Fleet(clock);
      const bus = new PodBus({ publisher, subscriber, clock });
      // Their table says it while Redis is away, the bus while PostgreSQL is.
      bus.onMessage((message) => {
        if (message.kind === 'figures') fleet.hear(message.figures);
        else if (message.kind === 'bye') fleet.leave(message.instance);
      });
      const instance = clock.uuid();
      const answer = () => ({ pod: 'cli' });
      const questions = new PodQuestions({
        bus,
        fleet,
        table: () => podTable.read(),
        clock,
        instance,
        answer,
      });
      if (inspector !== undefined) {
        for (const each of [publisher, subscriber, inspector]) {
          each.start();
          closing.push(() => each.close());
        }
        await Promise.all([inspector.whenReady(REDIS_PATIENCE_MS), bus.whenHeard(REDIS_PATIENCE_MS)]);
      }
      for (const { figures, ageMs } of said) fleet.hear(figures, ageMs);
      const operator = operatorName();
      const neverEnds = new AbortController().signal;
      const jobs = new OperatorJobs({ pool, clock, log, pod: operator, end: end ?? neverEnds });
      return await work({
        postgresUrl: url,
        config,
        pool,
        jobs,
        podTable,
        fleet,
        questions,
        inspector,
        operator,
      });
    } finally {
      for (const close of closing) close();
      await pool.end();
    }
  });
}

/**
 * Where the stream is, is a setting of the pods: this shell, asked without it, would look at another one, and find
 * nothing wrong there. What it names itself wins.
 */
export function asPodsHave(
  env: Shell['env'],
  said: readonly { readonly figures: PodFigures; readonly ageMs: number }[],
): Shell['env'] {
  const [latest] = said
    .filter(({ figures }) => figures.stream !== undefined)
    .toSorted((a, b) => a.ageMs - b.ageMs);
  const stream = latest?.figures.stream;
  if (stream === undefined) return env;
  const theirs = {
    DISPATCH_STREAM_NAME: stream.name,
    DISPATCH_STREAM_PARTITIONS: String(stream.partitions),
    REDIS_STREAM_MAXLEN: String(stream.maxLength),
    CONSUMER_GROUP_NAME: stream.group,
  };
  const meant = Object.entries(theirs).map(([name, value]) => [name, given(env, name) ?? value]);
  return { ...env, ...(Object.fromEntries(meant) as typeof theirs) };
}

/** Redis alone, as the settings name it. */
export async function withInspector<T>(
  config: Config,
  work: (inspector: StreamInspector) => Promise<T>,
): Promise<T> {
  const inspector = inspectorOf(config, silentLog);
  inspector.start();
  try {
    await inspector.whenReady(REDIS_PATIENCE_MS);
    return await work(inspector);
  } finally {
    inspector.close();
  }
}

function inspectorOf({ redis, stream, consumer }: Config, log: Log): StreamInspector {
  return new StreamInspector({
    url: redis.url,
    stream: stream.name,
    partitions: stream.partitions,
    maxLength: stream.maxLength,
    group: consumer.group,
    log,
  });
}
