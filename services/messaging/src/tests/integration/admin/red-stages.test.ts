import {
  type Pipeline,
  type PipelineHistory,
  pipelineHistory,
  type StageName,
} from '@sanctum/protocol/admin';
import { describe, expect, it, type TestContext } from 'vitest';
import { Fault } from '../../../errors.ts';
import type { BusPublisher, DispatchLog } from '../../../ports.ts';
import { eventually } from '../../support/eventually.ts';
import { type PodSettings, Scene } from '../../support/scene.ts';
import { ownPostgres, ownRedis } from '../../support/servers.ts';
import { operatorOf, type Operator } from './admin-scene.ts';

/** The contract: for each fault the failed stage is the red one within this. */
const RED_WITHIN_MS = 10_000;

const refuse = () => Promise.reject(new Fault('unexpected', 'a fault of this test'));

async function untilRed(operator: Operator, red: StageName[], withinMs = RED_WITHIN_MS): Promise<Pipeline> {
  return eventually(async () => {
    const pipeline = await operator.get<Pipeline>('/pipeline');
    const down = pipeline.stages.filter(({ health }) => health === 'down').map(({ name }) => name);
    expect(
      down,
      JSON.stringify(pipeline.stages.map(({ name, health, cause }) => [name, health, cause])),
    ).toEqual(red);
    return pipeline;
  }, withinMs);
}

interface Stage {
  readonly scene: Scene;
  readonly operator: Operator;
}

/** A pod and its operator, until the end of the test. */
async function begin(
  { onTestFinished }: TestContext,
  options: PodSettings & { readonly servers?: Parameters<typeof Scene.begin>[0] } = {},
): Promise<Stage> {
  const scene = await Scene.begin(options.servers);
  onTestFinished(() => scene.end());
  const operator = await operatorOf(await scene.pod(options));
  onTestFinished(() => operator.close());
  return { scene, operator };
}

// They wait more than they work: side by side, each on a scene of its own.
describe.concurrent('the red stage is the failed one', () => {
  it('a store that is away, and nobody who waits for it: Redis, then Postgres; green again when it is back', async (context) => {
    const [redis, postgres] = await Promise.all([ownRedis(), ownPostgres()]);
    const { operator } = await begin(context, {
      servers: { databaseUrl: postgres.url, redisUrl: redis.url },
    });
    await untilRed(operator, []);
    await redis.stop();
    const withoutRedis = await untilRed(operator, ['stream']);
    const states = Object.fromEntries(withoutRedis.stages.map(({ name, health }) => [name, health]));
    expect(states).toMatchObject({
      dispatcher: 'degraded',
      consumer: 'degraded',
      hub: 'degraded',
      outbox: 'ok',
    });
    await redis.restart();
    await untilRed(operator, []);
    await postgres.stop();
    const withoutPostgres = await untilRed(operator, ['outbox']);
    expect(withoutPostgres.stores).toMatchObject({ outbox: null, stream: { max_length: 1_000_000 } });
    expect(withoutPostgres.stages[0]).toMatchObject({ name: 'intake', health: 'degraded' });
    await postgres.restart();
    await untilRed(operator, []);
  });

  it('the consumer, whose broadcasts fail; the dispatcher, whose rounds fail', async (context) => {
    const failing = { dispatcher: false, consumer: false };
    const dispatchLog = (log: DispatchLog): DispatchLog =>
      new Proxy(log, {
        get(target, name) {
          if (failing.dispatcher && name === 'dispatchBuckets') return refuse;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    const publisher = (bus: BusPublisher): BusPublisher => ({
      publish: (messages) =>
        failing.consumer && messages.some(({ channel }) => channel.startsWith('c:'))
          ? refuse()
          : bus.publish(messages),
    });
    const { operator } = await begin(context, { overrides: { dispatchLog, publisher } });
    await untilRed(operator, []);
    failing.consumer = true;
    await untilRed(operator, ['consumer']);
    failing.consumer = false;
    await untilRed(operator, []);

    failing.dispatcher = true;
    await untilRed(operator, ['dispatcher']);
    failing.dispatcher = false;
    await untilRed(operator, []);

    // And the last minutes are there to be drawn.
    const history = pipelineHistory.parse(await operator.get<PipelineHistory>('/pipeline/history?minutes=5'));
    expect(history.points.length).toBeGreaterThan(3);
    expect(Math.max(...history.points.map(({ dispatched }) => dispatched))).toBeGreaterThan(0);
    expect(Math.max(...history.points.map(({ errors }) => errors))).toBeGreaterThan(0);
  });

  it('a consumer that has fallen silent, and none that is switched off', async (context) => {
    const { scene, operator } = await begin(context, { env: { CONSUMER_ENABLED: 'false' } });
    const { stages } = await untilRed(operator, []);
    expect(stages.find(({ name }) => name === 'consumer')).toMatchObject({ health: 'off' });
    // What a pod that was killed leaves behind: it spoke last a while ago, and said no goodbye.
    await scene.sql(
      `INSERT INTO messaging.pod_figures (instance, seen_at, figures)
       SELECT id, now() - INTERVAL '10 seconds',
         figures || jsonb_build_object('instance', id, 'name', 'killed', 'consumer', true)
       FROM messaging.pod_figures, gen_random_uuid() id`,
    );
    const { stages: after, pods } = await untilRed(operator, ['consumer']);
    expect(after.find(({ name }) => name === 'consumer')!.cause).toMatch(/gone: killed/);
    expect(pods.map(({ state }) => state).sort()).toEqual(['gone', 'ready']);
  });
});
