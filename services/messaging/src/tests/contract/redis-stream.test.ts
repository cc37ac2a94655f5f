import { Redis } from 'ioredis';
import { afterEach, expect } from 'vitest';
import { RedisStreamReader } from '../../adapters/redis/redis-stream-reader.ts';
import { RedisStreamWriter } from '../../adapters/redis/redis-stream-writer.ts';
import { streamName } from '../../adapters/redis/stream-names.ts';
import { Sealed } from '../../sealed.ts';
import { eventually } from '../support/eventually.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { ownRedis } from '../support/servers.ts';
import { streamMessage } from '../support/stream-messages.ts';
import { CONTRACT_MAX_LENGTH, streamContract, type StreamHarness } from './stream-contract.ts';

const STREAM = 'sanctum:messages';
const PAYLOAD_MAX_BYTES = 100_000;
const MIB = 1024 * 1024;

const server = await ownRedis({ args: ['--proto-max-bulk-len', String(MIB)] });
const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

async function makeHarness(): Promise<StreamHarness> {
  const admin = new Redis(server.url);
  open.push({ close: () => admin.disconnect() });
  admin.on('error', () => {});
  await admin.flushall();
  const log = new RecordedLog();
  return {
    log,
    async writer() {
      const writer = new RedisStreamWriter({
        url: server.url,
        stream: STREAM,
        maxLength: CONTRACT_MAX_LENGTH,
        log,
      });
      open.push(writer);
      writer.start();
      await eventually(() => expect(writer.available).toBe(true));
      return writer;
    },
    async reader({
      consumer = 'one',
      partitions = 1,
      batchSize = 128,
      blockMs = 1_000,
      claimIdleMs = 5_000,
    } = {}) {
      const reader = new RedisStreamReader({
        url: server.url,
        stream: STREAM,
        partitions,
        maxLength: CONTRACT_MAX_LENGTH,
        group: 'messaging-hub',
        consumer,
        batchSize,
        blockMs,
        claimIdleMs,
        payloadMaxBytes: PAYLOAD_MAX_BYTES,
        log,
      });
      open.push(reader);
      reader.start();
      await eventually(() => reader.figures());
      return reader;
    },
    addMalformed: async () => (await admin.xadd(STREAM, '*', 'v', '1', 'payload', 'not JSON')) as string,
    // An argument longer than the server's limit makes it hang up.
    poison: () => streamMessage({ payload: new Sealed(JSON.stringify('A'.repeat(MIB + 1))) }),
    async trim(partition, length) {
      await admin.xtrim(streamName(STREAM, partition), 'MAXLEN', length);
    },
    async flushAll() {
      await admin.flushall();
    },
    async loseConnections() {
      await admin.call('CLIENT', 'KILL', 'SKIPME', 'yes');
    },
    goDown: () => server.stop(),
    comeUp: () => server.restart(),
  };
}

streamContract('Redis', makeHarness);
