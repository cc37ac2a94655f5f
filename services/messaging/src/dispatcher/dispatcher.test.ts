import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBus } from '../adapters/memory/memory-bus.ts';
import { MemoryRedis } from '../adapters/memory/memory-redis.ts';
import { BUCKETS, bucketOf } from '../bucket.ts';
import { Fault } from '../errors.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import type { StreamMessage } from '../ports.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { valueOf } from '../tests/support/metric-values.ts';
import { RecordedLog } from '../tests/support/recorded-log.ts';
import { TableLog } from '../tests/support/table-log.ts';
import { encodeWake } from '../wake-message.ts';
import { DISPATCH_LANES, Dispatcher } from './dispatcher.ts';

const TICK_MS = 100;

let clock: ManualClock;
let log: TableLog;
let redis: MemoryRedis;
let bus: MemoryBus;
let metrics: Metrics;
let logger: RecordedLog;
let dispatcher: Dispatcher;

beforeEach(() => {
  clock = new ManualClock();
  log = new TableLog(clock);
  logger = new RecordedLog();
  redis = new MemoryRedis({ clock, log: logger });
  bus = new MemoryBus({ clock });
  metrics = createMetrics({ dispatcher: true, consumer: false });
  dispatcher = makeDispatcher();
});
afterEach(() => stop());

function makeDispatcher(
  settings: Partial<{ batchSize: number; maxAttempts: number; partitions: number }> = {},
): Dispatcher {
  return new Dispatcher({
    log,
    writer: redis.writer(),
    bus: bus.subscriber(),
    metrics,
    logger,
    clock,
    settings: { tickMs: TICK_MS, batchSize: 256, maxAttempts: 10, partitions: 1, ...settings },
  });
}

/** stop() waits for what waits for the clock. */
async function stop(): Promise<void> {
  const stopped = dispatcher.stop();
  await clock.advance(5_000);
  await stopped;
}

/** What stands on a partition. */
function streamed(partition = 0): StreamMessage[] {
  return redis
    .stream(partition)
    .after(0, Number.MAX_SAFE_INTEGER)
    .flatMap(({ content }) => ('message' in content ? [content.message] : []));
}
const statuses = () => log.rows.map((row) => row.status);

/** A conversation in that bucket. */
function conversationIn(bucket: number): string {
  for (;;) {
    const id = randomUUID();
    if (bucketOf(id) === bucket) return id;
  }
}

describe('Dispatcher', () => {
  it('puts what is pending on the stream, in order, and counts it', async () => {
    const conversation = randomUUID();
    log.add(conversation, 3);
    log.add(randomUUID(), 2);
    dispatcher.start();
    await settle();
    const mine = streamed().filter(({ message }) => message.conversationId === conversation);
    expect(mine.map(({ message, resent, epoch }) => [message.seq, resent, epoch])).toEqual([
      [1, false, 1],
      [2, false, 1],
      [3, false, 1],
    ]);
    expect(new Set(statuses())).toEqual(new Set(['sent']));
    for (const metric of [metrics.outboxPicked, metrics.outboxSent, metrics.dispatchPublished])
      expect(await valueOf(metric)).toBe(5);
    expect(await valueOf(metrics.dispatchTicks, { result: 'ok' })).toBeGreaterThanOrEqual(1);
  });

  it('finds rows that nobody told it of at the next tick', async () => {
    dispatcher.start();
    await settle();
    log.add(randomUUID(), 1);
    await clock.advance(TICK_MS);
    expect(statuses()).toEqual(['sent']);
    expect(await valueOf(metrics.dispatchTicks, { result: 'empty' })).toBe(1);
  });

  it('works at once on the buckets that it is woken for', async () => {
    dispatcher.start();
    await settle();
    const [row] = log.add(randomUUID(), 1);
    dispatcher.wake([bucketOf(row?.conversationId ?? '')]);
    await settle();
    expect(statuses()).toEqual(['sent']);
    log.add(randomUUID(), 1);
    dispatcher.wake();
    await settle();
    expect(statuses()).toEqual(['sent', 'sent']);
  });

  it("looks soon after another pod's wake, also after the bus was lost", async () => {
    dispatcher.start();
    await settle();
    for (const round of [1, 2]) {
      log.add(randomUUID(), 1);
      await bus.publisher().publish([{ channel: 'wake', bytes: encodeWake([1]) }]);
      await clock.advance(TICK_MS / 5);
      expect(statuses()).toHaveLength(round);
      expect(new Set(statuses())).toEqual(new Set(['sent']));
      bus.loseConnections();
      await settle();
    }
  });

  it('goes on at once where a batch was full', async () => {
    dispatcher = makeDispatcher({ batchSize: 10 });
    log.add(randomUUID(), 95);
    dispatcher.start();
    await settle();
    expect(streamed()).toHaveLength(95);
  });

  it('takes several due buckets in one round, and has few rounds under way', async () => {
    redis = new MemoryRedis({ clock, log: logger, latencyMs: () => 5 });
    dispatcher = makeDispatcher();
    for (let bucket = 0; bucket < 30; bucket++) log.add(conversationIn(bucket), 1);
    dispatcher.start();
    await clock.advance(TICK_MS);
    expect(new Set(statuses())).toEqual(new Set(['sent']));
    expect(log.mostClaims).toBe(DISPATCH_LANES);
    expect(log.claims.map((buckets) => buckets.length)).toEqual([8, 8, 8, 6]);
  });

  it('gives a bucket with a backlog a batch of its own, until it has none', async () => {
    dispatcher = makeDispatcher({ batchSize: 4 });
    log.add(conversationIn(1), 11);
    log.add(conversationIn(2), 1);
    dispatcher.start();
    await settle();
    expect(new Set(statuses())).toEqual(new Set(['sent']));
    const claims = log.claims.map((buckets) => buckets.toSorted((x, y) => x - y));
    // Two, of which the first is full, then 4, 4 and 1 rows.
    expect(claims).toEqual([[1, 2], [1], [1], [1]]);
  });

  it('takes no more buckets than a batch has rows', async () => {
    dispatcher = makeDispatcher({ batchSize: 2 });
    for (let bucket = 0; bucket < 5; bucket++) log.add(conversationIn(bucket), 1);
    dispatcher.start();
    await settle();
    expect(new Set(statuses())).toEqual(new Set(['sent']));
    expect(Math.max(...log.claims.map((buckets) => buckets.length))).toBe(2);
  });

  it('takes the buckets of a failed round one at a time', async () => {
    dispatcher.start();
    await settle();
    for (const bucket of [1, 2, 3]) log.add(conversationIn(bucket), 1);
    log.failure = new Fault('contention', 'postgres: somebody else holds a row');
    dispatcher.wake([1, 2, 3]);
    await settle();
    log.failure = undefined;
    await clock.advance(1_000);
    expect(new Set(statuses())).toEqual(new Set(['sent']));
    expect(log.claims.map((buckets) => buckets.length)).toEqual([3, 1, 1, 1]);
  });

  it('spreads buckets over the partitions, each to one', async () => {
    dispatcher = makeDispatcher({ partitions: 2 });
    log.add(conversationIn(4), 2);
    log.add(conversationIn(7), 3);
    dispatcher.start();
    await settle();
    expect([streamed(0).length, streamed(1).length]).toEqual([2, 3]);
    expect(log.claims.every((buckets) => buckets.length === 1)).toBe(true);
  });

  it('comes back to a bucket that another dispatcher owns', async () => {
    log.busy.add(3);
    log.add(conversationIn(3), 1);
    dispatcher.start();
    await clock.advance(TICK_MS);
    expect(statuses()).toEqual(['pending']);
    log.busy.clear();
    await clock.advance(TICK_MS);
    expect(statuses()).toEqual(['sent']);
  });

  it('claims nothing while paused', async () => {
    dispatcher.pause();
    dispatcher.start();
    const [row] = log.add(randomUUID(), 1);
    dispatcher.wake([bucketOf(row?.conversationId ?? '')]);
    await clock.advance(10 * TICK_MS);
    expect([log.claims.length, await valueOf(metrics.dispatchTicks, { result: 'paused' })]).toEqual([0, 11]);
    dispatcher.resume();
    await settle();
    expect(statuses()).toEqual(['sent']);
  });

  it('may be started and stopped in any order, any number of times', async () => {
    await dispatcher.stop();
    dispatcher.start();
    expect(logger.named('dispatcher_started')).toEqual([]);
    dispatcher = makeDispatcher();
    dispatcher.start();
    dispatcher.start();
    await stop();
    await stop();
    dispatcher.wake([1]);
    expect([logger.named('dispatcher_started').length, logger.named('dispatcher_stopped').length]).toEqual([
      1, 1,
    ]);
  });

  it('finishes the batch under way when it is stopped, and begins no other', async () => {
    redis = new MemoryRedis({ clock, log: logger, latencyMs: () => 50 });
    dispatcher = makeDispatcher({ batchSize: 2 });
    log.add(randomUUID(), 5);
    dispatcher.start();
    await settle();
    await stop();
    expect(statuses()).toEqual(['sent', 'sent', 'pending', 'pending', 'pending']);
    expect(log.rows.map((row) => row.attempts)).toEqual([0, 0, 0, 0, 0]);
  });

  it('opens no transaction and spends no attempt while Redis is down', async () => {
    dispatcher.start();
    await settle();
    redis.goDown();
    log.add(randomUUID(), 3);
    await clock.advance(60_000);
    expect([log.claims.length, new Set(log.rows.map((row) => row.attempts))]).toEqual([0, new Set([0])]);
    expect(await valueOf(metrics.dispatchTicks, { result: 'error' })).toBeGreaterThan(30);
    // Told at the first, second, fourth … failure: an outage does not fill the log.
    expect(logger.named('dispatcher_tick_error').length).toBeLessThan(10);
    redis.comeUp();
    await clock.advance(1_200);
    expect(statuses()).toEqual(['sent', 'sent', 'sent']);
  });

  it('spends no attempt while Redis answers but takes nothing, and asks less and less often', async () => {
    redis.condition = 'OOM';
    for (let bucket = 0; bucket < BUCKETS; bucket++) log.add(conversationIn(bucket), 1);
    dispatcher.start();
    await clock.advance(60_000);
    expect(log.claims.length).toBeLessThan(130);
    const inOneRound = log.claims.map((buckets) => buckets.length);
    expect(new Set(inOneRound.slice(DISPATCH_LANES))).toEqual(new Set([1]));
    expect(new Set(log.rows.map((row) => row.attempts))).toEqual(new Set([0]));
    redis.condition = undefined;
    await clock.advance(1_500);
    expect(new Set(statuses())).toEqual(new Set(['sent']));
  });

  it('goes on after Postgres was away', async () => {
    dispatcher.start();
    await settle();
    log.add(randomUUID(), 1);
    log.failure = new Fault('unavailable', 'postgres: gone');
    await clock.advance(10_000);
    expect(logger.named('dispatcher_tick_error')[0]?.fields).toMatchObject({ reason: 'unavailable' });
    log.failure = undefined;
    await clock.advance(1_500);
    expect(statuses()).toEqual(['sent']);
  });

  it('retries a refused row, holds its conversation meanwhile, and buries it in the end', async () => {
    dispatcher = makeDispatcher({ maxAttempts: 3 });
    const [conversation, other] = [randomUUID(), randomUUID()];
    log.add(conversation, 3);
    redis.refuses = ({ message }) =>
      message.conversationId === conversation && message.seq === 2 ? 'ERR' : undefined;
    dispatcher.start();
    await settle();
    expect(statuses()).toEqual(['sent', 'pending', 'pending']);
    log.add(other, 1);
    await clock.advance(TICK_MS);
    expect(statuses()).toEqual(['sent', 'pending', 'pending', 'sent']);
    await clock.advance(2_000);
    expect(statuses()).toEqual(['sent', 'dead', 'sent', 'sent']);
    expect(
      streamed()
        .filter(({ message }) => message.conversationId === conversation)
        .map(({ message }) => message.seq),
    ).toEqual([1, 3]);
    expect([await valueOf(metrics.outboxFailed), await valueOf(metrics.outboxDead)]).toEqual([2, 1]);
    expect(logger.named('dispatcher_row_dead').map(({ fields }) => fields?.reason)).toEqual(['ERR']);
  });

  it('buries a row that fits no frame without sending it, and holds up nothing', async () => {
    const conversation = randomUUID();
    log.add(conversation, 1);
    log.add(conversation, 1, { tooLarge: true });
    log.add(conversation, 1);
    dispatcher.start();
    await settle();
    expect(statuses()).toEqual(['sent', 'dead', 'sent']);
    expect(await valueOf(metrics.dispatchPublished)).toBe(2);
  });

  it('does not take a row that breaks connections for an outage', async () => {
    const poisoned = conversationIn(5);
    log.add(conversationIn(5), 2);
    log.add(poisoned, 2);
    log.add(conversationIn(5), 2);
    log.add(conversationIn(6), 2);
    redis.breaksOn = ({ message }) => message.conversationId === poisoned && message.seq === 1;
    dispatcher.start();
    await clock.advance(TICK_MS);
    expect(log.rows.map((row) => `${row.status} ${row.attempts}`)).toEqual([
      'sent 0',
      'sent 0',
      'pending 1',
      'pending 0',
      'sent 0',
      'sent 0',
      'sent 0',
      'sent 0',
    ]);
    redis.breaksOn = () => false;
    await clock.advance(5_000);
    expect(new Set(statuses())).toEqual(new Set(['sent']));
  });

  it('sends again what Redis may have forgotten, once', async () => {
    log.add(conversationIn(1), 2);
    log.add(conversationIn(2), 1);
    dispatcher.start();
    await clock.advance(1_000);
    redis.flushAll();
    redis.loseConnections();
    await clock.advance(TICK_MS);
    expect(streamed().map(({ resent }) => resent)).toEqual([true, true, true]);
    expect([await valueOf(metrics.dispatchResent), await valueOf(metrics.dispatchPublished)]).toEqual([3, 6]);
    redis.loseConnections();
    await clock.advance(1_000);
    expect(await valueOf(metrics.dispatchResent)).toBe(3);
    expect(log.rows.map((row) => row.attempts)).toEqual([0, 0, 0]);
  });

  it('sends again what another life of Redis has lost, soon after the last time and after a long outage', async () => {
    log.add(conversationIn(1), 1);
    dispatcher.start();
    await clock.advance(1_000);
    const restart = async (downMs: number) => {
      redis.goDown();
      redis.loseMemory();
      await clock.advance(downMs);
      redis.comeUp();
      await clock.advance(5_000);
    };
    await restart(100);
    await restart(100);
    expect(await valueOf(metrics.dispatchResent)).toBe(2);
    await restart(60_000);
    expect(await valueOf(metrics.dispatchResent)).toBe(3);
  });

  it('sends again what was lost before it was there', async () => {
    const conversationId = conversationIn(1);
    log.add(conversationId, 1);
    dispatcher.start();
    await clock.advance(1_000);
    redis.goDown();
    redis.loseMemory();
    await stop();
    await clock.advance(60_000);
    redis.comeUp();
    dispatcher = makeDispatcher();
    log.add(conversationId, 1);
    dispatcher.start();
    await clock.advance(1_000);
    expect(streamed().map(({ message, resent }) => [message.seq, resent])).toEqual([
      [1, true],
      [2, false],
    ]);
  });

  it('sends a bucket again later when another dispatcher owns it', async () => {
    log.add(conversationIn(1), 1);
    dispatcher.start();
    await settle();
    log.busy.add(1);
    redis.loseConnections();
    await clock.advance(TICK_MS);
    expect(await valueOf(metrics.dispatchResent)).toBe(0);
    log.busy.clear();
    await clock.advance(TICK_MS);
    expect(await valueOf(metrics.dispatchResent)).toBe(1);
  });

  it('keeps the gauges fresh, and reports now and then', async () => {
    dispatcher.pause();
    log.add(randomUUID(), 4);
    dispatcher.start();
    await clock.advance(5_200);
    expect(await valueOf(metrics.outboxPending)).toBe(4);
    dispatcher.resume();
    await clock.advance(60_000);
    expect(await valueOf(metrics.outboxPending)).toBe(0);
    expect(logger.named('dispatcher_progress')).toHaveLength(1);
    expect(logger.named('dispatcher_progress')[0]?.fields).toEqual({
      sent: 4,
      failed: 0,
      dead: 0,
      pending: 0,
    });
  });
});
