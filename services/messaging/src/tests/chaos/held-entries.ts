import type { Redis } from 'ioredis';
import { eventually } from '../support/eventually.ts';
import { type ChaosWorld, GROUP, STREAM } from './chaos-world.ts';

const HELD_WITHIN_MS = 30_000;
/** A read that was on its way when its process was stopped is served long before so many have come. */
const UNREAD_MIN = 10;

/** What lies on the stream that the group is not done with. */
export interface Held {
  /** Read by nobody of the group. */
  readonly unread: number;
  /** Read, and not acknowledged. */
  readonly pending: number;
}

/**
 * Stops the process of every consumer, waits until entries lie unread and read ones unacknowledged, and lets all go
 * on once `strike` is done. A consumer that waits for entries is handed the first ones even though it is stopped.
 */
export async function whileConsumersHold<T>(world: ChaosWorld, strike: (redis: Redis) => Promise<T>) {
  const pods = world.pods.filter(({ plan }) => plan.consumer);
  for (const pod of pods) pod.process.process.kill('SIGSTOP');
  try {
    return await world.withRedis(async (redis) => {
      const held = await eventually(async () => {
        const { unread, pending } = await heldBy(redis);
        if (unread < UNREAD_MIN || pending === 0) throw new Error(`${unread} unread, ${pending} pending`);
        return { unread, pending };
      }, HELD_WITHIN_MS);
      return { held, result: await strike(redis) };
    });
  } finally {
    for (const pod of pods) pod.process.process.kill('SIGCONT');
  }
}

async function heldBy(redis: Redis): Promise<Held> {
  const stream = (await redis.xinfo('STREAM', STREAM)) as unknown[];
  const groups = (await redis.xinfo('GROUPS', STREAM)) as unknown[][];
  const group = groups.find((each) => field(each, 'name') === GROUP) ?? [];
  return {
    unread: Number(field(stream, 'entries-added')) - Number(field(group, 'entries-read')),
    pending: Number(field(group, 'pending')),
  };
}

/** Of an answer of `XINFO`: names and values in turn. */
export function field(flat: readonly unknown[], name: string): unknown {
  return flat[flat.indexOf(name) + 1];
}
