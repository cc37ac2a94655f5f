import { startPostgres, startRedis } from '@sanctum/local-servers';
import { Redis } from 'ioredis';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../adapters/postgres/migrate.ts';
import { assertNoForeignKeys, assertTestDatabase, FREE_DATABASES } from './given-servers.ts';
import { createDatabase, databaseUrl, dropDatabase, randomName } from './test-database.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of a database on the test server from which others may be made and dropped. */
    postgresUrl: string;
    /** Name of the migrated database that the others are clones of. */
    templateDatabase: string;
    /** Of database 0, where `FREE_DATABASES` lists the numbers that nobody uses. */
    redisUrl: string;
  }
}

interface Given {
  url: string;
  stop: () => Promise<void>;
}

/**
 * Once for a whole run: one PostgreSQL with a migrated template database, and one Redis; ours, or those that
 * DATABASE_URL and REDIS_URL name. In the latter nothing is touched but what the run itself makes there.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-test-'));
  const postgres = await postgresFor(process.env['DATABASE_URL'], dir);
  const redis = await redisFor(process.env['REDIS_URL'], dir);
  const template = randomName('template');
  await createDatabase(postgres.url, template);
  await migrate(databaseUrl(postgres.url, template));
  const databases = await listFreeDatabases(redis.url);
  project.provide('postgresUrl', postgres.url);
  project.provide('templateDatabase', template);
  project.provide('redisUrl', redis.url);
  return async () => {
    await databases.clear();
    await dropDatabase(postgres.url, template);
    await Promise.all([postgres.stop(), redis.stop()]);
    await rm(dir, { recursive: true, force: true });
  };
}

async function postgresFor(given: string | undefined, dir: string): Promise<Given> {
  if (given !== undefined && given !== '') {
    assertTestDatabase(given);
    return { url: given, stop: () => Promise.resolve() };
  }
  return startPostgres({ dataDir: path.join(dir, 'postgres'), durable: false });
}

async function redisFor(given: string | undefined, dir: string): Promise<Given> {
  if (given !== undefined && given !== '') {
    await assertNoForeignKeys(given);
    return { url: given, stop: () => Promise.resolve() };
  }
  // One database for each test file and to spare; the usual 16 make files wait for one another.
  return startRedis({ dir: path.join(dir, 'redis'), args: ['--databases', '1024'] });
}

async function listFreeDatabases(url: string): Promise<{ clear: () => Promise<void> }> {
  const redis = new Redis(url);
  try {
    const used = new Set(
      Array.from((await redis.info('keyspace')).matchAll(/^db(\d+):/gm), (line) => line[1]),
    );
    const [, count] = (await redis.config('GET', 'databases')) as [string, string];
    const free = Array.from({ length: Number(count) - 1 }, (_, index) => index + 1);
    await redis.del(FREE_DATABASES);
    await redis.rpush(FREE_DATABASES, ...free.filter((number) => !used.has(String(number))));
  } finally {
    redis.disconnect();
  }
  return {
    clear: async () => {
      const last = new Redis(url);
      await last.del(FREE_DATABASES);
      last.disconnect();
    },
  };
}
