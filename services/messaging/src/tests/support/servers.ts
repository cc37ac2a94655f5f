import {
  ensurePostgres,
  startPostgres,
  startRedis,
  type PostgresServer,
  type RedisServer,
} from '@sanctum/local-servers';
import { Redis } from 'ioredis';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inject } from 'vitest';
import { migrate } from '../../adapters/postgres/migrate.ts';
import { FREE_DATABASES } from './given-servers.ts';
import { createDatabase, databaseUrl, dropDatabase, execute, randomName } from './test-database.ts';

/*
 * What a test file needs of PostgreSQL and Redis, each call a fresh one. All of it is cleared away when the file has
 * ended.
 */

const REDIS_WAIT_S = 60;

const cleanups: (() => Promise<unknown>)[] = [];

/** Has something done when the test file has ended. */
export function whenFileEnds(cleanup: () => Promise<unknown>): void {
  cleanups.push(cleanup);
}

/** Does all of it, the last first. */
export async function clearAway(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** URL of a migrated and otherwise empty database, an installation of its own. */
export async function freshDatabase(): Promise<string> {
  const url = await clone(inject('templateDatabase'));
  // Channels in Redis carry the installation's id: a clone must not hear its siblings.
  await execute(url, 'UPDATE messaging.installation SET id = gen_random_uuid()');
  return url;
}

/** URL of a database without a schema. */
export function emptyDatabase(): Promise<string> {
  return clone('template0');
}

async function clone(template: string): Promise<string> {
  const server = inject('postgresUrl');
  const name = randomName('clone');
  await createDatabase(server, name, template);
  whenFileEnds(() => dropDatabase(server, name));
  return databaseUrl(server, name);
}

/** URL of an empty Redis database that nobody else uses. (Pub/Sub knows no databases.) */
export async function freshRedis(): Promise<string> {
  const server = inject('redisUrl');
  const redis = new Redis(server);
  const popped = await redis.blpop(FREE_DATABASES, REDIS_WAIT_S);
  if (popped === null) throw new Error(`no Redis database became free within ${REDIS_WAIT_S} s`);
  const number = Number(popped[1]);
  whenFileEnds(async () => {
    await redis.multi().select(number).flushdb().select(0).rpush(FREE_DATABASES, number).exec();
    redis.disconnect();
  });
  const url = new URL(server);
  url.pathname = `/${number}`;
  return url.href;
}

/** A migrated PostgreSQL of the test's own, to freeze, kill and restart; of another release with `version`. */
export async function ownPostgres(options: { version?: number } = {}): Promise<PostgresServer> {
  const binaries = await ensurePostgres({ progress: console.error, version: options.version });
  const dataDir = path.join(await ownFolder(), 'postgres');
  const server = await startPostgres({ dataDir, binaries, database: 'messaging_test', durable: false });
  whenFileEnds(() => server.stop());
  await migrate(server.url);
  return server;
}

/** A Redis of the test's own, to freeze, kill, empty and restart; with `persist` it keeps its data. */
export async function ownRedis(options: { persist?: boolean; args?: string[] } = {}): Promise<RedisServer> {
  const server = await startRedis({ dir: path.join(await ownFolder(), 'redis'), ...options });
  whenFileEnds(() => server.stop());
  return server;
}

async function ownFolder(): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-test-'));
  whenFileEnds(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
