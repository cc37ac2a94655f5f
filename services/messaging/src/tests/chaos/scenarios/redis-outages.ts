import { eventually } from '../../support/eventually.ts';
import { machineClock } from '../../history/history-writer.ts';
import type { ChaosWorld } from '../chaos-world.ts';
import { HEALTHY_P95_MS } from '../latency-watch.ts';
import { lasting, promised, type Promised, proven, type Scenario } from '../scenario.ts';

/** Longer than commands (1 s), blocking reads (3 s) and claims (5 s) wait. */
const FROZEN_MS = 12_000;
const FULL_MS = 10_000;
const GONE_MS = 60_000;
const CUTTING_MS = 10_000;
const CUTTING_EVERY_MS = 250;

const runIdOf = (world: ChaosWorld) =>
  world.withRedis(async (redis) => /^run_id:(\w+)/m.exec(await redis.info('server'))![1]!);

/** What members got of what was posted since the fault began, leaving aside what is not due yet. */
function slowPath({ load }: ChaosWorld, from: number): Promised {
  const p95 = load.watch.p95Of({ from, to: machineClock.monotonic() - HEALTHY_P95_MS });
  return promised(`members went on receiving, p95 ${Math.round(p95)} ms`, p95 < HEALTHY_P95_MS);
}

async function restartedProof(world: ChaosWorld, before: string): Promise<string[]> {
  const after = await runIdOf(world);
  return [proven(`run id ${before.slice(0, 8)}… became ${after.slice(0, 8)}…`, before !== after)];
}

/** Redis does not answer, or refuses. */
export const REDIS_OUTAGE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'redis-restart',
    about: 'Redis is restarted without an append-only file: it comes back empty',
    fault: async (world) => {
      const before = await runIdOf(world);
      await world.redis.restart();
      return { proof: await restartedProof(world, before) };
    },
  },
  {
    name: 'redis-kill',
    about: 'kill -9 of Redis, which comes back empty',
    fault: async (world) => {
      const before = await runIdOf(world);
      const { ended } = world.redis;
      await world.redis.kill('SIGKILL');
      const how = await ended;
      await world.redis.restart();
      return {
        proof: [proven(`ended by ${how}`, how.includes('SIGKILL')), ...(await restartedProof(world, before))],
      };
    },
  },
  {
    name: 'redis-freeze',
    about: `SIGSTOP of Redis for ${FROZEN_MS / 1000} s`,
    fault: async (world) => {
      const from = machineClock.monotonic();
      await world.redis.kill('SIGSTOP');
      await lasting(FROZEN_MS);
      const answer = await Promise.race([
        world.withRedis((redis) => redis.ping()).catch(() => 'refused'),
        lasting(1000).then(() => undefined),
      ]);
      const proof = [proven('PING was not answered', answer === undefined)];
      const promises = [slowPath(world, from)];
      await world.redis.kill('SIGCONT');
      return { proof, promises };
    },
  },
  {
    name: 'redis-gone-minute',
    about: 'Redis is gone for a minute: members go on receiving, no row is buried',
    fault: async (world) => {
      const from = machineClock.monotonic();
      const before = await runIdOf(world);
      await world.redis.stop();
      await lasting(GONE_MS);
      const promises = [slowPath(world, from)];
      await world.redis.restart();
      return { proof: await restartedProof(world, before), promises };
    },
  },
  {
    name: 'redis-maxmemory',
    about: `maxmemory is reached for ${FULL_MS / 1000} s: every write is refused`,
    fault: (world) =>
      world.withRedis(async (redis) => {
        const from = machineClock.monotonic();
        await redis.config('SET', 'maxmemory', '1');
        await lasting(FULL_MS);
        const answer: string = await redis.set('sanctum:chaos', '1').catch((error: Error) => error.message);
        const proof = [proven(`a write was refused: ${answer.slice(0, 3)}`, answer.startsWith('OOM'))];
        const promises = [slowPath(world, from)];
        await redis.config('SET', 'maxmemory', '0');
        return { proof, promises };
      }),
  },
  {
    name: 'redis-client-kill',
    about: `CLIENT KILL of every connection, every ${CUTTING_EVERY_MS} ms for ${CUTTING_MS / 1000} s`,
    fault: (world) =>
      world.withRedis(async (redis) => {
        let killed = 0;
        const until = performance.now() + CUTTING_MS;
        while (performance.now() < until) {
          for (const type of ['normal', 'pubsub'] as const) {
            killed += (await redis.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')) as number;
          }
          await lasting(CUTTING_EVERY_MS);
        }
        return { proof: [proven(`${killed} connections were killed`, killed >= 4 * world.pods.length)] };
      }),
  },
  {
    name: 'redis-replica',
    about: `the primary is made a replica of nobody for ${FULL_MS / 1000} s: read-only`,
    fault: (world) =>
      world.withRedis(async (redis) => {
        const from = machineClock.monotonic();
        await redis.replicaof('127.0.0.1', 1);
        await lasting(FULL_MS);
        const answer: string = await redis.set('sanctum:chaos', '1').catch((error: Error) => error.message);
        const proof = [proven(`a write was refused: ${answer.slice(0, 8)}`, answer.startsWith('READONLY'))];
        const promises = [slowPath(world, from)];
        await redis.replicaof('NO', 'ONE');
        await eventually(async () => {
          if ((await redis.role())[0] !== 'master') throw new Error('still a replica');
        });
        return { proof, promises };
      }),
  },
];
