import { GROUP, STREAM } from '../chaos-world.ts';
import { proven, type Scenario } from '../scenario.ts';

export const REDIS_SCENARIOS: readonly Scenario[] = [
  {
    name: 'redis-flushall',
    about: 'FLUSHALL: the stream, the group and what it had to acknowledge are gone',
    fault: (world) =>
      world.withRedis(async (redis) => {
        const before = await redis.xlen(STREAM);
        const after = (await redis.multi().flushall().dbsize().exec())![1]![1];
        return {
          proof: [
            proven(`${before} entries before, ${after as number} keys after`, before > 0 && after === 0),
          ],
        };
      }),
  },
  {
    name: 'redis-xtrim',
    about: 'XTRIM to nothing: entries that nobody has read are gone',
    fault: (world) =>
      world.withRedis(async (redis) => {
        const [trimmed, left] = (await redis.multi().xtrim(STREAM, 'MAXLEN', 0).xlen(STREAM).exec())!.map(
          ([, reply]) => Number(reply),
        );
        return { proof: [proven(`${trimmed} entries trimmed, ${left} left`, trimmed! > 0 && left === 0)] };
      }),
  },
  {
    name: 'redis-group-destroyed',
    about: 'XGROUP DESTROY: consumers have no group',
    fault: (world) =>
      world.withRedis(async (redis) => {
        const destroyed = await redis.xgroup('DESTROY', STREAM, GROUP);
        return { proof: [proven('the group was there, and was destroyed', destroyed === 1)] };
      }),
  },
];
