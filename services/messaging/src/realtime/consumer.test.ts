import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBus } from '../adapters/memory/memory-bus.ts';
import { MemoryRedis } from '../adapters/memory/memory-redis.ts';
import { Fault } from '../errors.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import type { BusPublisher, StreamEntry, StreamMessage, StreamReader } from '../ports.ts';
import { Sealed } from '../sealed.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { valueOf } from '../tests/support/metric-values.ts';
import { RecordedLog } from '../tests/support/recorded-log.ts';
import { conversationMessages, streamMessage } from '../tests/support/stream-messages.ts';
import { decodeBusFrame } from './bus-frame.ts';
import { Consumer } from './consumer.ts';

const GROUP = 'messaging-hub';
const CLAIM_IDLE_MS = 5_000;

let clock: ManualClock;
let redis: MemoryRedis;
let bus: MemoryBus;
let metrics: Metrics;
let log: RecordedLog;
let buried: StreamEntry[];
let epoch: number;
/** What the log would say; undefined: it does not answer. */
let epochOfLog: number | undefined;
let heard: string[];
const running: Consumer[] = [];

beforeEach(() => {
  clock = new ManualClock();
  log = new RecordedLog();
  redis = new MemoryRedis({ clock, log });
  bus = new MemoryBus({ clock });
  metrics = createMetrics({ dispatcher: false, consumer: true });
  buried = [];
  epoch = epochOfLog = 1;
  heard = [];
});
afterEach(async () => {
  for (const consumer of running.splice(0)) await stop(consumer);
});

function makeReader(consumer = 'one'): StreamReader {
  return redis.reader({ group: GROUP, consumer, batchSize: 10, blockMs: 1_000, claimIdleMs: CLAIM_IDLE_MS });
}

function makeConsumer(
  given: Partial<{ reader: StreamReader; publisher: BusPublisher; bury: () => Promise<void> }> = {},
): Consumer {
  const consumer = new Consumer({
    reader: given.reader ?? makeReader(),
    publisher: given.publisher ?? bus.publisher(),
    deadLetters: {
      recordMalformed: async (entries, group) => {
        expect(group).toBe(GROUP);
        await given.bury?.();
        buried.push(...entries);
      },
    },
    currentEpoch: () => epoch,
    learnEpoch: async () => {
      await Promise.resolve();
      if (epochOfLog !== undefined) epoch = Math.max(epoch, epochOfLog);
      return epochOfLog !== undefined;
    },
    metrics,
    log,
    clock,
    settings: { group: GROUP, claimIdleMs: CLAIM_IDLE_MS },
  });
  running.push(consumer);
  return consumer;
}

async function stop(consumer: Consumer): Promise<void> {
  const stopped = consumer.stop();
  await clock.advance(2_000);
  await stopped;
}

async function append(...entries: StreamMessage[]): Promise<void> {
  await redis.writer().append(0, entries);
  await settle();
}

/** Hears every message of these conversations, as `seq` or `seq/replay`. */
async function listen(...entries: StreamMessage[]): Promise<void> {
  const subscriber = bus.subscriber();
  subscriber.onMessage((_, bytes) => {
    const frame = decodeBusFrame(bytes);
    heard.push(frame === undefined ? '?' : `${frame.seq}${frame.replay > 0 ? `/${frame.replay}` : ''}`);
  });
  await subscriber.subscribe(entries.map(({ message }) => `c:${message.conversationId}` as const));
}

const pending = () => redis.stream(0).group(GROUP)?.pending;
const failures = (reason: string) => valueOf(metrics.consumerFailures, { reason });

describe('Consumer', () => {
  it('broadcasts each entry on its conversation, acknowledges it, and counts it', async () => {
    const messages = conversationMessages(25);
    await listen(...messages);
    await append(...messages);
    makeConsumer().start();
    await settle();
    expect(heard).toEqual(messages.map(({ message }) => String(message.seq)));
    expect(pending()).toBe(0);
    const counters = [
      metrics.consumerFetch,
      metrics.consumerDelivered,
      metrics.consumerAck,
      metrics.consumerLagSeconds,
    ];
    expect(await Promise.all(counters.map((metric) => valueOf(metric)))).toEqual([25, 25, 25, 25]);
    expect(log.named('consumer_group_created')).toHaveLength(1);
  });

  it('counts an entry as delivered that nobody listens to', async () => {
    makeConsumer().start();
    await append(streamMessage({ eventType: 'SyntheticProbe' }));
    expect([await valueOf(metrics.consumerDelivered), pending()]).toEqual([1, 0]);
  });

  it('broadcasts a message once, however often it is on the stream', async () => {
    const [first, second] = conversationMessages(2) as [StreamMessage, StreamMessage];
    await listen(first);
    makeConsumer().start();
    await append(first, second, { ...first, resent: true });
    await append(first, { ...second, resent: true });
    expect([heard, pending()]).toEqual([['1', '2'], 0]);
    expect([await valueOf(metrics.consumerDedupeSkips), await valueOf(metrics.consumerAck)]).toEqual([3, 5]);
  });

  it('broadcasts a replay, and times neither that nor a copy sent again', async () => {
    const message = streamMessage();
    const replay = { ...message, message: { ...message.message, replayNo: 1 } };
    await listen(message);
    makeConsumer().start();
    await append(message, replay, replay);
    await append({ ...streamMessage(), resent: true });
    expect(heard).toEqual(['1', '1/1']);
    expect([await valueOf(metrics.consumerDelivered), await valueOf(metrics.consumerLagSeconds)]).toEqual([
      3, 1,
    ]);
  });

  it('buries what it cannot use, names it, and goes on', async () => {
    makeConsumer().start();
    await settle();
    const entryId = redis.addMalformed(0, { reason: 'bad_seq', fields: new Sealed('["c2VjcmV0"]') });
    await append(streamMessage());
    expect([buried.map((entry) => entry.entryId), pending(), await failures('parse_error')]).toEqual([
      [entryId],
      0,
      1,
    ]);
    expect(log.named('consumer_parse_error')[0]?.fields).toEqual({
      stream: 'memory',
      entry_id: entryId,
      reason: 'bad_seq',
      of: 1,
    });
    expect(await valueOf(metrics.consumerDelivered)).toBe(1);
    expect(JSON.stringify(log.lines)).not.toContain('c2VjcmV0');
  });

  it('is not held up by a malformed entry that cannot be buried, and buries it later', async () => {
    let failing = true;
    makeConsumer({
      bury: () => (failing ? Promise.reject(new Fault('unavailable', 'gone')) : Promise.resolve()),
    }).start();
    redis.addMalformed(0, { reason: 'bad_seq', fields: new Sealed('[]') });
    await append(streamMessage(), streamMessage());
    expect([await valueOf(metrics.consumerDelivered), pending(), await failures('parse_error')]).toEqual([
      2, 1, 0,
    ]);
    failing = false;
    await clock.advance(2 * CLAIM_IDLE_MS);
    expect([buried.length, pending(), await failures('parse_error')]).toEqual([1, 0, 1]);
  });

  it('drops what is of another epoch', async () => {
    const messages = conversationMessages(2);
    await listen(...messages);
    makeConsumer().start();
    epoch = 2;
    await append(...messages);
    expect([heard, pending(), await valueOf(metrics.consumerDelivered)]).toEqual([[], 0, 0]);
  });

  it('asks the log before it drops what is of a newer epoch than it knows', async () => {
    const messages = conversationMessages(2).map((message) => ({ ...message, epoch: 2 }));
    await listen(...messages);
    makeConsumer().start();
    epochOfLog = 2;
    await append(...messages);
    expect([heard.length, pending(), await valueOf(metrics.consumerDelivered)]).toEqual([2, 0, 2]);
  });

  it('keeps pending what is of a newer epoch while the log cannot be asked', async () => {
    const messages = conversationMessages(2).map((message) => ({ ...message, epoch: 2 }));
    await listen(...messages);
    makeConsumer().start();
    epochOfLog = undefined;
    await append(...messages);
    expect([heard.length, pending()]).toEqual([0, 2]);
    epochOfLog = 2;
    await clock.advance(5_000);
    expect([heard.length, pending()]).toEqual([2, 0]);
  });

  it('keeps pending what it could not publish, and publishes it when it can', async () => {
    const messages = conversationMessages(3);
    await listen(...messages);
    const publisher = bus.publisher();
    let failing = true;
    makeConsumer({
      publisher: {
        publish: (sent) =>
          failing ? Promise.reject(new Fault('unavailable', 'gone')) : publisher.publish(sent),
      },
    }).start();
    await append(...messages);
    await clock.advance(100);
    expect([pending(), heard]).toEqual([3, []]);
    expect(await failures('broadcast_failed')).toBeGreaterThanOrEqual(3);
    expect(log.named('broadcast_failed')[0]?.fields).toEqual({ entries: 3, reason: 'unavailable' });
    failing = false;
    await clock.advance(1_000);
    expect([pending(), heard]).toEqual([0, ['1', '2', '3']]);
    expect(await valueOf(metrics.consumerDelivered)).toBe(3);
  });

  it('does not broadcast again what it could not acknowledge', async () => {
    const messages = conversationMessages(2);
    await listen(...messages);
    const reader = makeReader();
    let failing = true;
    const acknowledge = reader.acknowledge.bind(reader);
    reader.acknowledge = (entries) =>
      failing ? Promise.reject(new Fault('unavailable', 'gone')) : acknowledge(entries);
    makeConsumer({ reader }).start();
    await append(...messages);
    expect([heard, pending()]).toEqual([['1', '2'], 2]);
    failing = false;
    await clock.advance(1_500);
    expect([heard, pending(), (await failures('ack_failed')) > 0]).toEqual([['1', '2'], 0, true]);
  });

  it('begins with what it had in hand when it died', async () => {
    const messages = conversationMessages(25);
    await append(...messages);
    const dead = makeReader();
    await dead.readNew(new AbortController().signal);
    await dead.readNew(new AbortController().signal);
    await listen(...messages);
    makeConsumer().start();
    await settle();
    expect(heard).toEqual(messages.map(({ message }) => String(message.seq)));
    expect(pending()).toBe(0);
  });

  it('takes over what a dead consumer left behind', async () => {
    const messages = conversationMessages(25);
    await append(...messages);
    await makeReader('dead').readNew(new AbortController().signal);
    await listen(...messages);
    makeConsumer({ reader: makeReader('alive') }).start();
    await clock.advance(1_000);
    expect(heard).toHaveLength(15);
    await clock.advance(2 * CLAIM_IDLE_MS);
    expect([heard.length, pending(), await valueOf(metrics.consumerPelReclaimed)]).toEqual([25, 0, 10]);
  });

  it('recovers a batch whose reply was lost', async () => {
    redis = new MemoryRedis({ clock, log, latencyMs: () => 10 });
    const messages = conversationMessages(3);
    await listen(...messages);
    makeConsumer().start();
    await clock.advance(500);
    void redis.writer().append(0, messages);
    await clock.advance(15);
    // The entries are handed out, their reply is under way.
    expect(pending()).toBe(3);
    redis.loseConnections();
    await clock.advance(2_000);
    expect([heard, pending()]).toEqual([['1', '2', '3'], 0]);
    expect(log.named('consumer_fetch_error').length).toBeGreaterThan(0);
    expect(await failures('fetch_error')).toBeGreaterThan(0);
  });

  it('rides out an outage without a line for every millisecond of it', async () => {
    makeConsumer().start();
    await settle();
    redis.goDown();
    await clock.advance(30_000);
    expect(log.named('consumer_fetch_error').length).toBeLessThan(70);
    redis.comeUp();
    await append(streamMessage());
    await clock.advance(1_500);
    expect([await valueOf(metrics.consumerDelivered), pending()]).toEqual([1, 0]);
  });

  it('goes on after Redis forgot everything', async () => {
    makeConsumer().start();
    await append(streamMessage());
    redis.flushAll();
    await append(streamMessage());
    await clock.advance(1_500);
    expect([await valueOf(metrics.consumerDelivered), pending()]).toEqual([2, 0]);
    expect(log.named('consumer_group_created')).toHaveLength(2);
  });

  it('reads nothing while paused, and leaves the pending alone', async () => {
    const consumer = makeConsumer();
    consumer.start();
    await settle();
    consumer.pause();
    await append(streamMessage());
    await clock.advance(20_000);
    expect([
      await valueOf(metrics.consumerFetch),
      await valueOf(metrics.consumerOldestUnreadSeconds),
    ]).toEqual([0, 20]);
    consumer.resume();
    await settle();
    expect([await valueOf(metrics.consumerDelivered), pending()]).toEqual([1, 0]);
  });

  it('may be started and stopped in any order, any number of times', async () => {
    const early = makeConsumer();
    await early.stop();
    early.start();
    expect(log.named('consumer_started')).toEqual([]);
    const consumer = makeConsumer();
    consumer.start();
    consumer.start();
    await stop(consumer);
    await stop(consumer);
    expect([log.named('consumer_started').length, log.named('consumer_stopped').length]).toEqual([1, 1]);
    await append(streamMessage());
    expect(await valueOf(metrics.consumerFetch)).toBe(0);
  });

  it('broadcasts and acknowledges what it had read when it is stopped', async () => {
    const messages = conversationMessages(30);
    await listen(...messages);
    await append(...messages);
    const publisher = bus.publisher();
    const consumer = makeConsumer({
      publisher: {
        publish: async (sent) => {
          await clock.sleep(500);
          return publisher.publish(sent);
        },
      },
    });
    consumer.start();
    await clock.advance(100);
    await stop(consumer);
    expect([heard.length, pending()]).toEqual([10, 0]);
    expect(log.lines.at(-1)?.event).toBe('consumer_stopped');
  });

  it('keeps the gauges fresh, and reports now and then', async () => {
    const consumer = makeConsumer();
    consumer.start();
    await append(streamMessage({ conversationId: randomUUID() }));
    await clock.advance(66_000);
    expect(log.named('consumer_progress')).toHaveLength(1);
    expect(log.named('consumer_progress')[0]?.fields).toEqual({
      fetched: 1,
      delivered: 1,
      acknowledged: 1,
      pending: 0,
      oldest_unread_seconds: 0,
    });
  });
});
