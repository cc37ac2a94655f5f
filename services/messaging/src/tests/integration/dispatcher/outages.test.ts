import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { bucketOf } from '../../../bucket.ts';
import { eventually } from '../../support/eventually.ts';
import { valueOf } from '../../support/metric-values.ts';
import { freshDatabase, ownRedis } from '../../support/servers.ts';
import { DispatchScene, endDispatchScenes } from './dispatch-scene.ts';

const MIB = 1024 * 1024;

const server = await ownRedis({ args: ['--proto-max-bulk-len', String(MIB)] });
afterEach(endDispatchScenes);
afterEach(() => server.kill('SIGCONT'));
const open = async () => DispatchScene.open(await freshDatabase(), server.url);

async function expectAllSent(scene: DispatchScene, count: number): Promise<void> {
  await eventually(async () => expect(await scene.countOf('sent')).toBe(count));
  expect(new Set((await scene.outbox()).map(({ attempts }) => attempts))).toEqual(new Set([0]));
}

describe('an outage of Redis', () => {
  it('spends no attempt, and ends by itself', async () => {
    const scene = await open();
    scene.dispatcher({ maxAttempts: 2 }).start();
    await scene.insert(randomUUID(), 10);
    await expectAllSent(scene, 10);
    await server.stop();
    await scene.insert(randomUUID(), 10);
    await eventually(async () =>
      expect(await valueOf(scene.metrics.dispatchTicks, { result: 'error' })).toBeGreaterThan(3),
    );
    expect(await scene.countOf('pending')).toBe(10);
    await server.restart();
    await expectAllSent(scene, 20);
    expect(await valueOf(scene.metrics.outboxDead)).toBe(0);
  });

  it('opens no transaction while it lasts', async () => {
    const scene = await open();
    scene.dispatcher().start();
    await scene.insert(randomUUID(), 1);
    await expectAllSent(scene, 1);
    await server.stop();
    await scene.insert(randomUUID(), 1);
    await eventually(async () =>
      expect(await valueOf(scene.metrics.dispatchTicks, { result: 'error' })).toBeGreaterThan(2),
    );
    const picked = await valueOf(scene.metrics.outboxPicked);
    await eventually(async () =>
      expect(await valueOf(scene.metrics.dispatchTicks, { result: 'error' })).toBeGreaterThan(4),
    );
    expect(await valueOf(scene.metrics.outboxPicked)).toBe(picked);
    const { rows } = await scene.db.query(
      `SELECT FROM pg_stat_activity WHERE application_name = 'dispatcher-test' AND datname = current_database() AND state <> 'idle'`,
    );
    expect(rows).toEqual([]);
    await server.restart();
    await expectAllSent(scene, 2);
  });

  it('is the same when Redis is frozen, out of memory, a replica, or forbids XADD', async () => {
    const scene = await open();
    scene.dispatcher({ maxAttempts: 2 }).start();
    const faults = [
      [() => server.kill('SIGSTOP'), () => server.kill('SIGCONT')],
      [() => scene.redis.config('SET', 'maxmemory', '1'), () => scene.redis.config('SET', 'maxmemory', '0')],
      [() => scene.redis.replicaof('127.0.0.1', 1), () => scene.redis.replicaof('NO', 'ONE')],
      // The script may be called, and may not do what it does.
      [
        () => scene.redis.acl('SETUSER', 'default', '-xadd'),
        () => scene.redis.acl('SETUSER', 'default', '+xadd'),
      ],
    ] as const;
    let inserted = 0;
    for (const [begin, end] of faults) {
      await begin();
      const before = await valueOf(scene.metrics.dispatchTicks, { result: 'error' });
      await scene.insert(randomUUID(), 5);
      inserted += 5;
      await eventually(async () =>
        expect(await valueOf(scene.metrics.dispatchTicks, { result: 'error' })).toBeGreaterThan(before + 2),
      );
      await end();
      await expectAllSent(scene, inserted);
    }
  });
});

describe('what Redis lost', () => {
  it('is sent again after a reconnect, marked, and without touching a row', async () => {
    const scene = await open();
    scene.dispatcher().start();
    scene.dispatcher().start();
    await scene.insert(randomUUID(), 5);
    await scene.insert(randomUUID(), 5);
    await expectAllSent(scene, 10);
    const before = await scene.outbox();
    // Nothing is kept over a restart.
    await server.restart();
    await eventually(async () => expect(await scene.redis.xlen('sanctum:messages')).toBe(10));
    const entries = await scene.streamed();
    expect(entries.map(({ content }) => content?.resent)).toEqual(Array.from({ length: 10 }, () => true));
    expect(await scene.outbox()).toEqual(before);
    expect(await valueOf(scene.metrics.dispatchResent)).toBe(10);
  });
});

describe('a row that breaks connections', () => {
  it('is found, retried and buried, and holds up only its own conversation', async () => {
    const scene = await open();
    const poisoned = randomUUID();
    // All in one bucket, so that they are of one batch.
    const others = Array.from({ length: 2_000 }, () => randomUUID())
      .filter((id) => bucketOf(id) === bucketOf(poisoned))
      .slice(0, 3);
    await scene.insert(others[0] as string, 2);
    await scene.insert(poisoned, 1, { ciphertext: 'A'.repeat(MIB + 1) });
    await scene.insert(poisoned, 1);
    for (const other of others.slice(1)) await scene.insert(other, 2);
    scene.dispatcher({ maxAttempts: 3, payloadLimitBytes: 4 * MIB }).start();
    await eventually(async () => {
      const states = (await scene.outbox()).filter(({ conversation }) => conversation === poisoned);
      expect(states.map(({ status, attempts }) => [status, attempts])).toEqual([
        ['dead', 3],
        ['sent', 0],
      ]);
    });
    const rest = (await scene.outbox()).filter(({ conversation }) => conversation !== poisoned);
    expect(rest.map(({ status, attempts }) => [status, attempts])).toEqual(
      Array.from({ length: 6 }, () => ['sent', 0]),
    );
    expect(await valueOf(scene.metrics.outboxDead)).toBe(1);
    expect(scene.log.named('dispatcher_row_dead')).toHaveLength(1);
    expect(JSON.stringify(scene.log.lines)).not.toContain('AAAA');
  });
});
