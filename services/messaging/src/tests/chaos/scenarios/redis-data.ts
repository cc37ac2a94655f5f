import { startRedis } from '@sanctum/local-servers';
import path from 'node:path';
import { eventually } from '../../support/eventually.ts';
import { GROUP, STREAM } from '../chaos-world.ts';
import { proven, type Scenario } from '../scenario.ts';

/** How many entries the old primary has that the new one lacks. */
const SPLIT_ENTRIES_MIN = 50;

/** Redis lives, and has lost what it acknowledged. */
export const REDIS_DATA_SCENARIOS: readonly Scenario[] = [
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
  {
    name: 'redis-failover-split',
    about: 'a replica that was cut off is promoted: the new primary lacks acknowledged writes',
    fault: async (world) => {
      const replica = await startRedis({ dir: path.join(world.folder, 'replica') });
      world.onEnd(() => replica.stop());
      await world.withRedis((redis) => redis.replicaof('127.0.0.1', world.redis.port), replica.url);
      const lastOn = (url: string) =>
        world.withRedis(async (redis) => {
          const info = (await redis.xinfo('STREAM', STREAM)) as unknown[];
          return Number(info[info.indexOf('entries-added') + 1]);
        }, url);
      // Its copy is whole …
      await eventually(async () => {
        if ((await lastOn(replica.url)) < 1) throw new Error('the replica has no stream yet');
      });
      // … and then it hears no more: nobody is at port 1.
      await world.withRedis((redis) => redis.replicaof('127.0.0.1', 1), replica.url);
      await eventually(async () => {
        const ahead = (await lastOn(world.redis.url)) - (await lastOn(replica.url));
        if (ahead < SPLIT_ENTRIES_MIN) throw new Error('the primary is not ahead yet');
      });
      await world.withRedis((redis) => redis.replicaof('NO', 'ONE'), replica.url);
      const lost = (await lastOn(world.redis.url)) - (await lastOn(replica.url));
      world.moveRedis(replica);
      return { proof: [proven(`${lost} entries are lost`, lost >= SPLIT_ENTRIES_MIN)] };
    },
  },
];
