import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tests/support/eventually.ts';
import { RecordedLog } from '../../tests/support/recorded-log.ts';
import { ownRedis } from '../../tests/support/servers.ts';
import { conversationMessages } from '../../tests/support/stream-messages.ts';
import { parseServerInfo, RedisConnection } from './connections.ts';
import { RedisStreamReader } from './redis-stream-reader.ts';
import { RedisStreamWriter } from './redis-stream-writer.ts';

const STREAM = 'sanctum:messages';
const never = new AbortController().signal;

const server = await ownRedis({ args: ['--busy-reply-threshold', '20'] });
const log = new RecordedLog();
let admin: Redis;
const open: { close(): void }[] = [];

beforeEach(async () => {
  admin = new Redis(server.url);
  admin.on('error', () => {});
  await admin.flushall();
});
afterEach(async () => {
  await server.kill('SIGCONT');
  await admin.replicaof('NO', 'ONE');
  for (const each of open.splice(0)) each.close();
  admin.disconnect();
});

function makeWriter(): RedisStreamWriter {
  const writer = new RedisStreamWriter({ url: server.url, stream: STREAM, maxLength: 1_000, log });
  open.push(writer);
  writer.start();
  return writer;
}

function makeReader(blockMs: number, payloadMaxBytes = 100_000): RedisStreamReader {
  const reader = new RedisStreamReader({
    url: server.url,
    stream: STREAM,
    partitions: 1,
    maxLength: 1_000,
    group: 'messaging-hub',
    consumer: 'one',
    batchSize: 10,
    blockMs,
    claimIdleMs: 5_000,
    payloadMaxBytes,
    log,
  });
  open.push(reader);
  reader.start();
  return reader;
}

async function readyWriter(): Promise<RedisStreamWriter> {
  const writer = makeWriter();
  await eventually(() => expect(writer.available).toBe(true));
  return writer;
}

const append = (writer: RedisStreamWriter) => writer.append(0, conversationMessages(1));
const outage = (reason: string) => ({ appended: 0, failure: { kind: 'outage', reason } });

describe('a frozen Redis', () => {
  it('costs a command one second, and the command is not sent again to the next Redis', async () => {
    const writer = await readyWriter();
    await server.kill('SIGSTOP');
    const startedAt = performance.now();
    const both = await Promise.all([append(writer), append(writer)]);
    expect(both).toEqual([outage('TIMEOUT'), outage('TIMEOUT')]);
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(writer.available).toBe(false);
    await server.kill('SIGKILL');
    await server.restart();
    await eventually(async () => expect(await writer.ping()).toBe(true));
    expect(await admin.xlen(STREAM)).toBe(0);
    expect(await append(writer)).toEqual({ appended: 1 });
  });

  it('is noticed by a blocked read, which goes on where it was', async () => {
    const reader = makeReader(100);
    await eventually(() => reader.readNew(never));
    let reconnects = 0;
    reader.onReconnect(() => reconnects++);
    const startedAt = performance.now();
    await server.kill('SIGSTOP');
    await expect(reader.readNew(never)).rejects.toMatchObject({ code: 'unavailable', reason: 'TIMEOUT' });
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    await server.kill('SIGCONT');
    await eventually(() => expect(reconnects).toBeGreaterThan(0));
    await append(await readyWriter());
    const read = await eventually(async () => {
      const entries = [...(await reader.readOwnPending(undefined)), ...(await reader.readNew(never))];
      expect(entries).toHaveLength(1);
      return entries;
    });
    expect(await reader.acknowledge(read)).toBe(1);
  });

  it('is not taken for a connection, though it accepts one', async () => {
    await server.kill('SIGSTOP');
    const writer = makeWriter();
    expect(await writer.ping()).toBe(false);
    await server.kill('SIGCONT');
    await eventually(() => expect(writer.available).toBe(true));
  });
});

describe('a Redis that answers and takes nothing', () => {
  it('was made a replica', async () => {
    const writer = await readyWriter();
    let forgotten = 0;
    writer.onConnected(({ reconnected }) => (forgotten += Number(reconnected)));
    await admin.replicaof('127.0.0.1', 1);
    expect(await append(writer)).toEqual(outage('READONLY'));
    expect([writer.available, await writer.ping()]).toEqual([false, false]);
    await admin.replicaof('NO', 'ONE');
    await eventually(async () => expect(await append(writer)).toEqual({ appended: 1 }));
    expect(forgotten).toBeGreaterThan(0);
  });

  it('is out of memory', async () => {
    const writer = await readyWriter();
    await admin.config('SET', 'maxmemory', '1');
    expect(await append(writer)).toEqual(outage('OOM'));
    await admin.config('SET', 'maxmemory', '0');
    expect(await append(writer)).toEqual({ appended: 1 });
  });

  it('has something else in the place of the stream', async () => {
    const writer = await readyWriter();
    await admin.set(STREAM, 'x');
    expect(await append(writer)).toEqual(outage('WRONGTYPE'));
  });

  it('is busy with a script', async () => {
    const writer = await readyWriter();
    const endless = admin.eval('while true do end', 0).catch(() => {});
    await eventually(async () =>
      expect(await append(writer)).toMatchObject({ appended: 0, failure: { kind: 'outage' } }),
    );
    const other = new Redis(server.url, { enableReadyCheck: false });
    await other.call('SCRIPT', 'KILL');
    other.disconnect();
    await endless;
    await eventually(async () => expect(await append(writer)).toEqual({ appended: 1 }));
  });
});

describe('RedisStreamReader', () => {
  it('makes a destroyed group again, from the beginning of the stream', async () => {
    const writer = await readyWriter();
    await writer.append(0, conversationMessages(3));
    const reader = makeReader(5_000);
    expect(await eventually(() => reader.readNew(never))).toHaveLength(3);
    const blocked = reader.readNew(never);
    await eventually(async () => {
      const clients = (await admin.client('LIST')) as string;
      expect(clients).toMatch(/name=sanctum-consumer-read .*cmd=xreadgroup/);
    });
    await admin.xgroup('DESTROY', STREAM, 'messaging-hub');
    expect(await blocked).toEqual([]);
    expect(await reader.readNew(never)).toHaveLength(3);
  });
});

describe('RedisConnection', () => {
  it('says why a command cannot be sent, and ends its reconnecting when closed', async () => {
    const connection = new RedisConnection({ url: server.url, name: 'test', log });
    await expect(connection.run((client) => client.ping())).rejects.toMatchObject({
      kind: 'outage',
      reason: 'NOT_CONNECTED',
    });
    expect(await connection.whenReady(1)).toBe(false);
    connection.start();
    connection.start();
    expect(await connection.whenReady(5_000)).toBe(true);
    expect(connection.generation).toBe(1);
    connection.close();
    connection.close();
    expect([connection.ready, await connection.whenReady(5_000)]).toEqual([false, false]);
  });

  it('reads what a server says of itself', () => {
    const info =
      '# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nmaster_replid:def\r\n# Persistence\r\nloading:1\r\n# Replication\r\nrole:slave\r\n';
    expect(parseServerInfo(info)).toEqual({ runId: 'abc', life: 'abc:def', role: 'slave', loading: true });
  });
});

describe('entries that come again', () => {
  it('are read a few at a time where they may be large, and all of them', async () => {
    const writer = await readyWriter();
    await writer.append(0, conversationMessages(10));
    const reader = makeReader(100, 1024 * 1024);
    await reader.whenReady(5_000);
    expect(await reader.readNew(never)).toHaveLength(10);
    const after = new Map<string, string>();
    const sizes: number[] = [];
    for (;;) {
      const entries = await reader.readOwnPending(after);
      if (entries.length === 0) break;
      sizes.push(entries.length);
      after.set(STREAM, entries.at(-1)!.entryId);
    }
    // 4 MiB hold four of them.
    expect(sizes).toEqual([4, 4, 2]);
  });
});
