import { describe, expect, it } from 'vitest';
import { MemoryRedis } from '../../adapters/memory/memory-redis.ts';
import { systemClock } from '../../clock.ts';
import { Sealed } from '../../sealed.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { conversationMessages, streamMessage } from '../support/stream-messages.ts';
import { CONTRACT_MAX_LENGTH, streamContract, type StreamHarness } from './stream-contract.ts';

const POISON = new Sealed('"poison"');

function makeHarness(latencyMs: () => number): Promise<StreamHarness> {
  const log = new RecordedLog();
  const redis = new MemoryRedis({ clock: systemClock, log, maxLength: CONTRACT_MAX_LENGTH, latencyMs });
  redis.breaksOn = ({ message }) => message.payload === POISON;
  const done = (action: () => void) => Promise.resolve(action());
  return Promise.resolve({
    log,
    writer: () => Promise.resolve(redis.writer()),
    reader: ({
      consumer = 'one',
      partitions = 1,
      batchSize = 128,
      blockMs = 1_000,
      claimIdleMs = 5_000,
    } = {}) =>
      Promise.resolve(
        redis.reader({ group: 'messaging-hub', consumer, partitions, batchSize, blockMs, claimIdleMs }),
      ),
    addMalformed: () =>
      Promise.resolve(redis.addMalformed(0, { reason: 'bad_seq', fields: new Sealed('[]') })),
    poison: () => streamMessage({ payload: POISON }),
    trim: (partition, length) => done(() => redis.trim(partition, length)),
    flushAll: () => done(() => redis.flushAll()),
    loseConnections: () => done(() => redis.loseConnections()),
    goDown: () => done(() => redis.goDown()),
    comeUp: () => done(() => redis.comeUp()),
  });
}

streamContract('memory', () => makeHarness(() => 0));
streamContract('memory with latency', () => makeHarness(() => Math.random() * 2));

describe('MemoryRedis', () => {
  it('refuses an entry for its own sake, behind those before it', async () => {
    const redis = new MemoryRedis({ clock: systemClock, log: new RecordedLog() });
    const entries = conversationMessages(4);
    redis.refuses = ({ message }) => (message.seq === 3 ? 'ERR' : undefined);
    expect(await redis.writer().append(0, entries)).toEqual({
      appended: 2,
      failure: { kind: 'entry', reason: 'ERR' },
    });
    expect(redis.stream(0).length).toBe(2);
  });

  it('takes nothing under a condition of the server', async () => {
    const redis = new MemoryRedis({ clock: systemClock, log: new RecordedLog() });
    redis.condition = 'OOM';
    const writer = redis.writer();
    expect(await writer.append(0, conversationMessages(1))).toEqual({
      appended: 0,
      failure: { kind: 'outage', reason: 'OOM' },
    });
    expect([writer.available, await writer.ping()]).toEqual([true, true]);
  });

  it('keeps exactly the newest', async () => {
    const redis = new MemoryRedis({ clock: systemClock, log: new RecordedLog(), maxLength: 3 });
    await redis.writer().append(0, conversationMessages(5));
    expect(redis.stream(0).length).toBe(3);
    expect(redis.stream(0).removed).toBe(2);
  });
});
