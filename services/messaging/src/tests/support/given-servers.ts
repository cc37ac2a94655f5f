import { Redis } from 'ioredis';

/** What everything of ours in Redis begins with. */
const OWN_PREFIX = 'sanctum:';

/** A list in Redis database 0: the numbers of the databases that no test uses just now. */
export const FREE_DATABASES = 'sanctum:test:free-databases';

/** Tests make and drop databases: never beside data that somebody needs. */
export function assertTestDatabase(url: string): void {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  if (/test/i.test(name)) return;
  throw new Error(
    `DATABASE_URL names the database ${JSON.stringify(name)}: the tests only run against one with "test" in its name`,
  );
}

/** Tests empty Redis databases: never one that holds something else than ours. */
export async function assertNoForeignKeys(url: string): Promise<void> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const keyspace = await redis.info('keyspace');
    for (const [, database] of keyspace.matchAll(/^db(\d+):/gm)) {
      await redis.select(Number(database));
      const foreign = await foreignKey(redis);
      if (foreign !== undefined) {
        throw new Error(
          `REDIS_URL names a Redis that holds foreign keys (${JSON.stringify(foreign)} in database ${database}): ` +
            'the tests only run against one of their own',
        );
      }
    }
  } finally {
    redis.disconnect();
  }
}

async function foreignKey(redis: Redis): Promise<string | undefined> {
  for await (const keys of redis.scanStream({ count: 1_000 }) as AsyncIterable<string[]>) {
    const foreign = keys.find((key) => !key.startsWith(OWN_PREFIX));
    if (foreign !== undefined) return foreign;
  }
  return undefined;
}
