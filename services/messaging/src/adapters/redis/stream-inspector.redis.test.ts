import { Redis } from 'ioredis';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../tests/support/eventually.ts';
import { RecordedLog } from '../../tests/support/recorded-log.ts';
import { ownRedis } from '../../tests/support/servers.ts';
import { StreamInspector } from './stream-inspector.ts';

/* What an operator is told of a Redis that takes no entry. */

const server = await ownRedis();
const inspector = new StreamInspector({
  url: server.url,
  stream: 'sanctum:messages',
  partitions: 1,
  maxLength: 1000,
  group: 'messaging-hub',
  log: new RecordedLog(),
});
const admin = new Redis(server.url);
const refusal = async () => (await inspector.state()).refuses;

beforeAll(async () => {
  inspector.start();
  expect(await inspector.whenReady(5000)).toBe(true);
});
beforeEach(async () => {
  await admin.config('SET', 'maxmemory', '0');
  expect(await refusal()).toBeUndefined();
});
afterAll(() => {
  inspector.close();
  admin.disconnect();
});

it.each(['noeviction', 'volatile-lru'])(
  'is full, and may evict nothing that is there (%s)',
  async (policy) => {
    await admin.config('SET', 'maxmemory-policy', policy);
    await admin.config('SET', 'maxmemory', '1');
    expect(await refusal()).toBe('OOM');
  },
);

it('is full, and makes room', async () => {
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await admin.config('SET', 'maxmemory', '1');
  expect(await refusal()).toBeUndefined();
});

it('lacks the replicas that it was told to have', async () => {
  await admin.config('SET', 'min-replicas-to-write', '1');
  expect(await refusal()).toBe('NOREPLICAS');
  await admin.config('SET', 'min-replicas-to-write', '0');
});

it('could not save', async () => {
  const [, dir] = (await admin.config('GET', 'dir')) as [string, string];
  await admin.config('SET', 'save', '3600 1');
  await rm(dir, { recursive: true });
  await admin.bgsave();
  await eventually(async () => expect(await refusal()).toBe('MISCONF'));
  // Else it would not end either.
  await admin.config('SET', 'save', '');
});
