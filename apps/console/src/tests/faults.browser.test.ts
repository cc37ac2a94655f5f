import type { PostgresServer, RedisServer } from '@sanctum/local-servers';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { ownPostgres, ownRedis } from '@sanctum/messaging/tests/support/servers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConsolePage } from './console-page.ts';
import { Traffic } from './traffic.ts';

/** The red stage is the failed one within this. */
const SHOWN_WITHIN_MS = 10_000;
const HEALED_WITHIN_MS = 30_000;

let redis: RedisServer;
let postgres: PostgresServer;
let scene: Scene;
let pod: Pod;
let traffic: Traffic;
let console: ConsolePage;

beforeAll(async () => {
  [redis, postgres] = await Promise.all([ownRedis({ persist: true }), ownPostgres()]);
  scene = await Scene.begin({ databaseUrl: postgres.url, redisUrl: redis.url });
  pod = await scene.pod();
  console = await ConsolePage.open(pod);
  await console.page.getByText('Everything works').waitFor();
  await console.picture('empty');
  traffic = await Traffic.begin(scene, pod);
});
afterAll(async () => {
  await traffic.end();
  await console.close();
  await scene.end();
});

it('Redis goes: the Redis Stream is red, alone, with the cause in words', async () => {
  await traffic.settled();
  await redis.stop();
  await console.untilStage('stream', 'down', SHOWN_WITHIN_MS);
  expect(await console.stagesThatAre('down')).toEqual(['stream']);
  await console.page.getByText('Redis Stream is down').waitFor();
  await console.page.locator('.findings').getByText('Redis does not answer').waitFor();
  await console.picture('redis-down');
  await console.picture('redis-down-narrow', { width: 390, height: 844 });
  await redis.restart();
  await console.page.getByText('Everything works').waitFor({ timeout: HEALED_WITHIN_MS });
  await console.picture('busy', { afterMs: 20_000 });
  await console.picture('busy-dark', { dark: true });
});

it('Postgres goes: the Outbox is red, alone, and the page stays', async () => {
  await postgres.stop();
  await console.untilStage('outbox', 'down', SHOWN_WITHIN_MS);
  expect(await console.stagesThatAre('down')).toEqual(['outbox']);
  await console.page.getByText('Outbox is down').waitFor();
  await console.page.locator('.findings').getByText('PostgreSQL does not answer').waitFor();
  await console.picture('postgres-down-dark', { dark: true });
  await postgres.restart();
  await console.page.getByText('Everything works').waitFor({ timeout: HEALED_WITHIN_MS });
  expect(console.wrongs).toEqual([]);
});
