import { describe, expect, test, type TestContext, vi } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Pod } from '../../support/pod.ts';
import { metricOf, Scene, STREAM } from '../../support/scene.ts';
import { scrape } from '../../support/scrape.ts';
import { ownRedis } from '../../support/servers.ts';
import { SlowLink } from '../../support/slow-link.ts';
import { psql } from '../schema/psql.ts';
import { commandOf, logs, replicasOf, settingsOf, type } from './on-call.ts';

/*
 * The runbook's four chapters on troubleshooting, each provoked for real: the symptom is found where the chapter says
 * to look, with its own commands, its fix is applied, and the figure returns. What kubectl would do to a Deployment
 * (other variables, more pods) is done to the pods by hand, with what the chapter's line says.
 */

// Whole processes start and stop in these, which takes long where other work has the cores. They wait more than they
// work, so all of them run side by side, each on a scene of its own.
vi.setConfig({ testTimeout: 180_000 });

/** The pod that takes messages, dispatches them and holds the clients; consumers are others. */
const NO_CONSUMER = { CONSUMER_ENABLED: 'false' };
const CONSUMER_ONLY = { DISPATCHER_ENABLED: 'false' };

interface Stage {
  readonly scene: Scene;
  /** The variables of a consumer that is so far from the scene's Redis. */
  readonly slowRedis: (delayMs: number) => Promise<Record<string, string>>;
}

/** Ends with the test. */
async function begin(
  { onTestFinished }: TestContext,
  options?: Parameters<typeof Scene.begin>[0],
): Promise<Stage> {
  const scene = await Scene.begin(options);
  const links: SlowLink[] = [];
  onTestFinished(async () => {
    await scene.end();
    await Promise.all(links.map((link) => link.close()));
  });
  return {
    scene,
    slowRedis: async (delayMs) => {
      const link = await SlowLink.to(scene.redisUrl, delayMs);
      links.push(link);
      return { ...CONSUMER_ONLY, REDIS_URL: link.url };
    },
  };
}

/** The `value` of a metric as curl and grep print it. */
function figure(printed: string, name: string): number {
  const [, value] = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(printed) ?? [];
  if (value === undefined) throw new Error(`no ${name} in: ${printed}`);
  return Number(value);
}

describe.concurrent('No Messages Delivered to WebSocket Clients', () => {
  const CHAPTER = 'No Messages Delivered to WebSocket Clients';

  test('someone forgot to enable the consumer', async (context) => {
    const { scene } = await begin(context);
    const forgotten = await scene.podProcess(NO_CONSUMER);
    const id = await scene.conversation(forgotten, ['alice', 'bob']);
    const bob = await scene.connect(forgotten, 'bob');
    await scene.post(forgotten, 'alice', id, 3);

    // Symptoms: nothing is counted as delivered, by nobody; clients are served by the slow path.
    await bob.untilMessages(id, 3);
    expect([...(await scrape(forgotten.httpUrl)).keys()]).not.toContain('messaging_consumer_delivered_total');
    expect(await metricOf(forgotten, 'messaging_hub_slow_path_total')).toBeGreaterThan(0);
    // Check 2: the dispatcher publishes. Check 3: no line of a consumer.
    await scene.allSent();
    const length = () => type(commandOf(CHAPTER, 'redis-cli', 'XLEN'), { redisUrl: scene.redisUrl });
    const before = Number(await length());
    await scene.post(forgotten, 'alice', id);
    await eventually(async () => expect(Number(await length())).toBeGreaterThan(before));
    const consumerLines = commandOf(CHAPTER, 'kubectl', 'logs', 'grep consumer');
    expect(await logs(consumerLines, [forgotten])).not.toContain('consumer_started');

    // Fix.
    const enabled = await scene.podProcess(settingsOf(commandOf(CHAPTER, 'kubectl', 'set env')));
    await forgotten.stop();
    await enabled.logged('consumer_group_created');
    expect(await logs(consumerLines, [enabled])).toContain('"consumer_started"');
    await eventually(async () =>
      expect(await metricOf(enabled, 'messaging_consumer_delivered_total')).toBeGreaterThanOrEqual(4),
    );
    const back = await scene.connect(enabled, 'bob', { cursors: bob.cursors() });
    await back.until(() => back.received.caughtUpCount === 1);
    const frames = await metricOf(enabled, 'transport_messages_sent_total');
    const [last] = await scene.post(enabled, 'alice', id);
    await back.until(() => back.received.seqs(id).includes(last!));
    expect(await metricOf(enabled, 'transport_messages_sent_total')).toBeGreaterThan(frames);
  });
});

describe.concurrent('High Consumer Lag', () => {
  const CHAPTER = 'High Consumer Lag';
  /** From Redis to the consumer and back it takes twice that. */
  const DELAY_MS = 120;
  const MESSAGES = 60;

  test('a small batch over a long way to Redis: more pods, then a larger batch', async (context) => {
    const { scene, slowRedis } = await begin(context);
    const front = await scene.pod({ env: NO_CONSUMER });
    const far = { ...(await slowRedis(DELAY_MS)), CONSUMER_BATCH_SIZE: '1' };
    const id = await scene.conversation(front, ['alice']);
    const slow = await scene.podProcess(far);
    await scene.post(front, 'alice', id, MESSAGES);
    await scene.allSent();

    // Symptom: the lag's 95th percentile is above 10 s. Its observations come when entries are broadcast at last.
    const above10 = async (pod: Pod) => {
      const samples = await scrape(pod.httpUrl);
      const name = 'messaging_consumer_lag_seconds';
      return samples.get(`${name}_count`)! - samples.get(`${name}_bucket{le="10"}`)!;
    };
    const unread = (pod: Pod) => metricOf(pod, 'messaging_consumer_oldest_unread_seconds');
    await eventually(async () => expect(await above10(slow)).toBeGreaterThan(0), 40_000);
    // Diagnosis, with its commands: the length says nothing of the lag, the group's `lag` does.
    const at = { redisUrl: scene.redisUrl };
    expect(Number(await type(commandOf(CHAPTER, 'redis-cli', 'XLEN'), at))).toBeGreaterThanOrEqual(MESSAGES);
    expect(await type(commandOf(CHAPTER, 'redis-cli', 'XPENDING'), at)).toMatch(/^\d+$/m);
    const groupLag = async () =>
      Number(/^lag\n(\d+)$/m.exec(await type(commandOf(CHAPTER, 'redis-cli', 'XINFO'), at))?.[1]);
    expect(await groupLag()).toBeGreaterThan(0);

    // Fix 1: more pods share the work.
    const replicas = replicasOf(commandOf(CHAPTER, 'kubectl', 'scale'));
    const others = await Promise.all(Array.from({ length: replicas - 1 }, () => scene.pod({ env: far })));
    await eventually(async () => {
      const taken = await Promise.all(
        others.map((pod) => metricOf(pod, 'messaging_consumer_delivered_total')),
      );
      expect(Math.min(...taken)).toBeGreaterThan(0);
    }, 20_000);
    await Promise.all(others.map((pod) => pod.stop()));

    // Fix 2: a larger batch, with which one pod is enough.
    const settings = settingsOf(commandOf(CHAPTER, 'kubectl', 'set env'));
    const fixed = await scene.podProcess({ ...far, ...settings });
    await slow.stop();
    await eventually(async () => expect(await groupLag()).toBe(0));
    await eventually(async () => expect(await unread(fixed)).toBeLessThan(5));
    const [delivered, late] = [
      await metricOf(fixed, 'messaging_consumer_delivered_total'),
      await above10(fixed),
    ];
    await scene.post(front, 'alice', id, MESSAGES);
    await eventually(async () =>
      expect(await metricOf(fixed, 'messaging_consumer_delivered_total')).toBeGreaterThanOrEqual(
        delivered + MESSAGES,
      ),
    );
    expect(await above10(fixed)).toBe(late);
    // Fix 3: the hub's figures, on the pod that has the clients.
    const hub = await type(commandOf(CHAPTER, 'curl'), { httpUrl: front.httpUrl });
    expect(figure(hub, 'transport_slow_consumers_total')).toBe(0);
  });
});

describe.concurrent('Consumer Failures Spiking', () => {
  const CHAPTER = 'Consumer Failures Spiking';

  test('Redis is gone: the log says so, and it ends when Redis is back', async (context) => {
    const redis = await ownRedis({ persist: true });
    const { scene } = await begin(context, { redisUrl: redis.url });
    const pod = await scene.podProcess();
    const failures = () => metricOf(pod, 'messaging_consumer_failures_total');
    await eventually(async () => expect(await metricOf(pod, 'messaging_path_ok')).toBe(1), 20_000);
    expect(await failures()).toBe(0);

    await redis.stop();
    await eventually(async () => expect(await failures()).toBeGreaterThan(2));
    const found = await logs(commandOf(CHAPTER, 'kubectl', 'logs'), [pod]);
    expect(found).toContain('"consumer_fetch_error"');

    await redis.restart();
    const delivered = await metricOf(pod, 'messaging_consumer_delivered_total');
    await eventually(
      async () =>
        expect(await metricOf(pod, 'messaging_consumer_delivered_total')).toBeGreaterThan(delivered),
      20_000,
    );
    const settled = await failures();
    await eventually(async () => expect(await metricOf(pod, 'messaging_path_ok')).toBe(1), 20_000);
    expect(await failures()).toBe(settled);
  });

  test('a malformed entry: found in the table; one that the table could not take is acknowledged by hand, or waits for it', async (context) => {
    const { scene } = await begin(context);
    const pod = await scene.podProcess({ CONSUMER_CLAIM_IDLE_MS: '200' });
    const parseErrors = async () =>
      (await scrape(pod.httpUrl)).get('messaging_consumer_failures_total{reason="parse_error"}');
    const entryId = (await scene.redis.xadd(STREAM, '*', 'v', '1', 'payload', 'no JSON')) as string;
    await eventually(async () => expect(await parseErrors()).toBe(1));
    const bad = await psql(
      scene.databaseUrl,
      '-c',
      'SET ROLE sanctum_operator',
      '-c',
      commandOf(CHAPTER, 'sql', 'message_dlq'),
    );
    expect(bad).toContain(entryId);
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));

    await scene.sql('ALTER TABLE messaging.message_dlq RENAME TO message_dlq_away');
    const stuck = (await scene.redis.xadd(STREAM, '*', 'v', '1', 'payload', 'no JSON')) as string;
    expect(await pod.logged('consumer_dead_letter_failed')).toMatchObject({ entry_ids: [stuck] });
    // It is handed out again and again.
    const pending = () => type(commandOf(CHAPTER, 'redis-cli', 'XPENDING'), { redisUrl: scene.redisUrl });
    await eventually(async () => {
      const [, times] = new RegExp(`^${stuck}\\n.+\\n\\d+\\n(\\d+)$`, 'm').exec(await pending())!;
      expect(Number(times)).toBeGreaterThan(2);
    });
    const byHand = await type(commandOf(CHAPTER, 'redis-cli', 'XACK'), {
      redisUrl: scene.redisUrl,
      entryId: stuck,
    });
    expect(byHand.trim()).toBe('1');
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
    expect(await parseErrors()).toBe(1);

    // One that was left alone is buried once the table is mended.
    const patient = (await scene.redis.xadd(STREAM, '*', 'v', '1', 'payload', 'no JSON')) as string;
    await eventually(async () => expect(await pending()).toContain(patient));
    await scene.sql('ALTER TABLE messaging.message_dlq_away RENAME TO message_dlq');
    await eventually(async () => expect(await parseErrors()).toBe(2));
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  });
});

describe.concurrent('Duplicate Messages Delivered', () => {
  const CHAPTER = 'Duplicate Messages Delivered';
  const DELAY_MS = 150;

  test('an ACK timeout shorter than the way to Redis: skips rise, clients hand on none, a longer one ends it', async (context) => {
    const { scene, slowRedis } = await begin(context);
    const front = await scene.pod({ env: NO_CONSUMER });
    const far = await slowRedis(DELAY_MS);
    const hasty = await scene.podProcess({ ...far, CONSUMER_CLAIM_IDLE_MS: '100' });
    const id = await scene.conversation(front, ['alice', 'bob']);
    const bob = await scene.connect(front, 'bob');

    const skips = async (pod: Pod) =>
      figure(
        await type(commandOf(CHAPTER, 'curl'), { httpUrl: pod.httpUrl }),
        'messaging_consumer_dedupe_skips_total',
      );
    let posted = 0;
    await eventually(async () => {
      posted += (await scene.post(front, 'alice', id, 5)).length;
      expect(await skips(hasty)).toBeGreaterThan(5);
    }, 20_000);
    await bob.untilMessages(id, posted);
    await bob.ping();
    // Once each, in order, whatever was broadcast twice.
    const inOrder = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
    expect(bob.received.seqs(id)).toEqual(inOrder(posted));

    // Fix: more of the variable that the chapter names; so much that a busy machine does not use it up either.
    const patient = await scene.podProcess({ ...far, CONSUMER_CLAIM_IDLE_MS: '15000' });
    await hasty.stop();
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0), 40_000);
    await scene.post(front, 'alice', id, 20);
    await bob.untilMessages(id, posted + 20);
    await eventually(async () =>
      expect(await metricOf(patient, 'messaging_consumer_ack_total')).toBeGreaterThanOrEqual(20),
    );
    expect(await skips(patient)).toBe(0);
    expect(bob.received.seqs(id)).toEqual(inOrder(posted + 20));
  });
});
