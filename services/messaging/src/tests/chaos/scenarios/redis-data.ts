import { startRedis } from '@sanctum/local-servers';
import path from 'node:path';
import { eventually } from '../../support/eventually.ts';
import { GROUP, STREAM } from '../chaos-world.ts';
import { field, whileConsumersHold } from '../held-entries.ts';
import { proven, type Scenario } from '../scenario.ts';

/** How many entries the old primary has that the new one lacks. */
const SPLIT_ENTRIES_MIN = 50;

/** Redis lives, and has lost what it acknowledged. */
export const REDIS_DATA_SCENARIOS: readonly Scenario[] = [
  {
    name: 'redis-flushall',
    about: 'FLUSHALL: the stream, the group and what it had to acknowledge are gone',
    losesEntries: true,
    fault: async (world) => {
      const { held, result: keys } = await whileConsumersHold(world, async (redis) =>
        Number((await redis.multi().flushall().dbsize().exec())![1]![1]),
      );
      return {
        proof: [
          proven(`${held.pending} entries were to be acknowledged`, held.pending > 0),
          proven(`${held.unread} were still to be read`, held.unread > 0),
          proven(`${keys} keys are left`, keys === 0),
        ],
      };
    },
  },
  {
    name: 'redis-xtrim',
    about: 'XTRIM to nothing: entries that nobody has read are gone',
    losesEntries: true,
    fault: async (world) => {
      const { held, result } = await whileConsumersHold(world, async (redis) =>
        (await redis.multi().xtrim(STREAM, 'MAXLEN', 0).xlen(STREAM).exec())!.map(([, reply]) =>
          Number(reply),
        ),
      );
      const [trimmed, left] = result;
      return {
        proof: [
          proven(`${held.unread} entries were unread`, held.unread > 0),
          proven(`${trimmed} entries trimmed, ${left} left`, trimmed! >= held.unread && left === 0),
        ],
      };
    },
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
          return Number(field(info, 'entries-added'));
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
