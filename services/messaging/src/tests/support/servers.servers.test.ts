import { Redis } from 'ioredis';
import pg from 'pg';
import { expect, test } from 'vitest';
import { assertNoForeignKeys, assertTestDatabase } from './given-servers.ts';
import { emptyDatabase, freshDatabase, freshRedis, ownPostgres, ownRedis } from './servers.ts';

async function rows(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test('each fresh database is migrated and an installation of its own', async () => {
  const urls = await Promise.all([freshDatabase(), freshDatabase()]);
  const ids = await Promise.all(urls.map((url) => rows(url, 'SELECT id FROM messaging.installation')));
  expect(ids[0]).toHaveLength(1);
  expect(ids[0]).not.toEqual(ids[1]);
});

test('an empty database has no schema', async () => {
  const schemas = await rows(await emptyDatabase(), `SELECT FROM pg_namespace WHERE nspname = 'messaging'`);
  expect(schemas).toHaveLength(0);
});

test('fresh Redis databases do not see each other', async () => {
  const [one, other] = (await Promise.all([freshRedis(), freshRedis()])).map((url) => new Redis(url));
  await one?.set('sanctum:test:here', '1');
  expect(await other?.dbsize()).toBe(0);
  one?.disconnect();
  other?.disconnect();
});

test('a frozen, killed and restarted PostgreSQL keeps its data', async () => {
  const server = await ownPostgres();
  await server.kill('SIGSTOP');
  await server.kill('SIGCONT');
  const before = await rows(server.url, 'SELECT id FROM messaging.installation');
  const { pid } = server;
  await server.kill('SIGKILL');
  await server.restart();
  expect(server.pid).not.toBe(pid);
  expect(await rows(server.url, 'SELECT id FROM messaging.installation')).toEqual(before);
});

test('a given Redis with foreign keys is refused, one with ours is taken', async () => {
  const server = await ownRedis();
  const redis = new Redis(server.url);
  await redis.xadd('sanctum:messages', '*', 'v', '1');
  await assertNoForeignKeys(server.url);
  await redis.select(3);
  await redis.set('cart:17', 'three pears');
  await expect(assertNoForeignKeys(server.url)).rejects.toThrow('"cart:17" in database 3');
  redis.disconnect();
});

test('a given database is taken only with "test" in its name', () => {
  assertTestDatabase('postgres://postgres@localhost:5433/messaging_test');
  expect(() => assertTestDatabase('postgres://postgres@localhost/orders')).toThrow('"orders"');
});
