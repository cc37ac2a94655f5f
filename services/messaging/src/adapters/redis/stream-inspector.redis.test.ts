import { Redis } from 'ioredis';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tests/support/eventually.ts';
import { RecordedLog } from '../../tests/support/recorded-log.ts';
import { ownRedis } from '../../tests/support/servers.ts';
import { StreamInspector } from './stream-inspector.ts';

/* What an operator is told of the stream, of one message on it, and of a Redis that takes no entry. */

const server = await ownRedis();
const inspectorOf = (stream: string, partitions = 1) =>
  new StreamInspector({
    url: server.url,
    stream,
    partitions,
    maxLength: 10,
    group: 'messaging-hub',
    log: new RecordedLog(),
  });
const inspector = inspectorOf('sanctum:messages');
const ofTwo = inspectorOf('two', 2);
const admin = new Redis(server.url);
const refusal = async () => (await inspector.state()).refuses;

beforeAll(async () => {
  for (const each of [inspector, ofTwo]) {
    each.start();
    expect(await each.whenReady(5000)).toBe(true);
  }
});
beforeEach(async () => {
  await admin.config('SET', 'maxmemory', '0');
  expect(await refusal()).toBeUndefined();
});
afterAll(() => {
  inspector.close();
  ofTwo.close();
  admin.disconnect();
});

it('how long the stream is, also before any group reads it, and how full its fullest partition', async () => {
  expect(await ofTwo.state()).toMatchObject({ length: 0, maxLength: 20, fullest: 0 });
  for (let i = 0; i < 9; i++) await admin.xadd('two:1', '*', 'v', '1');
  await admin.xadd('two', '*', 'v', '1');
  expect(await ofTwo.state()).toMatchObject({ length: 10, maxLength: 20, fullest: 0.9 });
});

it('whether a pod lives behind a consumer of the own group, and nothing of those of others', async () => {
  for (const group of ['messaging-hub', 'analytics']) {
    await admin.xgroup('CREATE', 'grouped', group, '0', 'MKSTREAM');
    await admin.xgroup('CREATECONSUMER', 'grouped', group, 'one');
  }
  const grouped = inspectorOf('grouped');
  grouped.start();
  await grouped.whenReady(5000);
  const { streams } = await grouped.groups(() => false);
  grouped.close();
  expect(streams[0]!.groups.map(({ name, consumers }) => [name, consumers[0]!.alive])).toEqual([
    ['analytics', null],
    ['messaging-hub', false],
  ]);
});

describe('where a message stands', () => {
  const DISPATCHED_AT = Date.now();
  const message = { conversationId: 'c', messageId: 'm', partition: 0, dispatchedAt: DISPATCHED_AT };
  const wanted = ['conversation_id', 'c', 'message_id', 'm'];

  /** Entries by when they were written, counted from the message's mark. */
  async function write(entries: readonly { readonly at: number; readonly fields: readonly string[] }[]) {
    await admin.del('sanctum:messages');
    const pipeline = admin.pipeline();
    for (const { at, fields } of entries) {
      pipeline.xadd('sanctum:messages', `${DISPATCHED_AT + at}-*`, ...fields);
    }
    for (const [error] of (await pipeline.exec()) ?? []) expect(error).toBeNull();
  }
  const others = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      at: from + i,
      fields: ['conversation_id', 'c', 'message_id', 'x'],
    }));

  it('behind thousands of others', async () => {
    await write([...others(-29_000, 6_000), { at: -3, fields: wanted }, ...others(20, 6_000)]);
    expect(await inspector.find(message)).toMatchObject({
      state: 'found',
      entryId: `${DISPATCHED_AT - 3}-0`,
    });
  });

  it('at its latest entry, where it was sent again', async () => {
    await write([
      { at: -20_000, fields: wanted },
      { at: -40, fields: wanted },
      { at: -4, fields: wanted },
    ]);
    expect(await inspector.find(message)).toMatchObject({ entryId: `${DISPATCHED_AT - 4}-0` });
  });

  it.each([-20_000, -101, -100, 0, 100, 101, 29_000])('where clocks differ: %i ms off', async (at) => {
    await write([
      { at: -40_000, fields: wanted },
      { at, fields: wanted },
    ]);
    expect(await inspector.find(message)).toMatchObject({ entryId: `${DISPATCHED_AT + at}-0` });
  });

  it('nowhere any more, or too far to look', async () => {
    await write(others(-20_000, 4_000));
    expect(await inspector.find(message)).toMatchObject({ state: 'gone' });
    await write(others(-20_000, 6_000));
    expect(await inspector.find(message)).toMatchObject({ state: 'too_many' });
  });
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
