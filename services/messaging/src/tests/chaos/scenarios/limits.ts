import { GROUP, STREAM, type ChaosWorld } from '../chaos-world.ts';
import { lasting, proven, type Scenario } from '../scenario.ts';
import { partitionOfDay } from '../../integration/schema/past.ts';
import { eventually } from '../../support/eventually.ts';
import { scrape } from '../../support/scrape.ts';

const STREAM_MAXLEN = 200;
/** Redis trims whole nodes of its tree. */
const NODE_ENTRIES = 100;
const STOPPED_MS = 10_000;
const CONSUMERS = ['full', 'consumer'] as const;

const fullStream: Scenario = {
  name: 'stream-at-maxlen',
  about: `the stream reaches REDIS_STREAM_MAXLEN (${STREAM_MAXLEN}) while every consumer is stopped for ${STOPPED_MS / 1000} s`,
  env: { REDIS_STREAM_MAXLEN: String(STREAM_MAXLEN) },
  fault: async (world) => {
    const pods = CONSUMERS.map((name) => world.pod(name));
    for (const pod of pods) pod.process.process.kill('SIGSTOP');
    await lasting(STOPPED_MS);
    const [length, unread] = await world.withRedis(async (redis) => {
      const info = (await redis.xinfo('STREAM', STREAM)) as unknown[];
      const groups = (await redis.xinfo('GROUPS', STREAM)) as unknown[][];
      const group = groups.find((each) => field(each, 'name') === GROUP)!;
      const added = Number(field(info, 'entries-added'));
      return [Number(field(info, 'length')), added - Number(field(group, 'entries-read'))];
    });
    const stopped = pods.every(({ state }) => state === 'T');
    for (const pod of pods) pod.process.process.kill('SIGCONT');
    const counted = await eventually(async () => {
      const samples = await Promise.all(pods.map((pod) => scrape(pod.process.httpUrl)));
      const sum = samples.reduce(
        (all, each) => all + (each.get('messaging_stream_trimmed_unread_total') ?? 0),
        0,
      );
      if (sum === 0) throw new Error('not yet');
      return sum;
    });
    return {
      proof: [
        proven('every consumer was stopped', stopped),
        proven(
          `${length} entries on it, ${unread} never read`,
          length <= STREAM_MAXLEN + 2 * NODE_ENTRIES && unread > length,
        ),
        proven(`${counted} counted as trimmed unread`, counted > 0),
      ],
    };
  },
};

function field(flat: readonly unknown[], name: string): unknown {
  return flat[flat.indexOf(name) + 1];
}

const EXPIRED_DAYS_AGO = 9;
/** The first messages of every conversation, long answered by then. */
const EXPIRED_SEQS = 10;

const expiry: Scenario = {
  name: 'partition-expires',
  about: 'the partition with the first messages of every conversation expires, and is dropped under load',
  fault: async (world) => {
    const { partition, rows } = await age(world);
    world.history.append({ type: 'operation', phase: 'invoke', operation: 'expiry', kind: 'prune' });
    await world.withPostgres((client) =>
      client.query(`CALL messaging.prune_message_outbox(INTERVAL '7 days')`),
    );
    world.history.append({ type: 'operation', phase: 'ok', operation: 'expiry', kind: 'prune' });
    const [left] = await world.sql<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
      `messaging.${partition}`,
    ]);
    // Its first messages: the floor is as high as there were rows.
    const [floors] = await world.sql<{ expired: number }>(
      'SELECT sum(floor_seq)::int AS expired FROM messaging.conversation WHERE conversation_id = ANY($1)',
      [world.load.conversations.map(({ id }) => id)],
    );
    // Whoever comes now, from wherever, is told of it.
    for (const device of world.load.devices) device.cut();
    return {
      proof: [
        proven(`${rows} rows were in the expired partition`, rows > 0),
        proven('the partition is gone', !left!.there),
        proven('every conversation with a row in it has its floor above', floors!.expired === rows),
      ],
    };
  },
};

/** Moves the first messages of every conversation into the past. */
function age(world: ChaosWorld): Promise<{ partition: string; rows: number }> {
  return world.withPostgres(async (client) => {
    const partition = await partitionOfDay(client, EXPIRED_DAYS_AGO);
    await client.query('SET session_replication_role = replica');
    const { rowCount } = await client.query(
      `UPDATE messaging.message_outbox SET occurred_at = occurred_at - $1 * interval '1 day'
       WHERE seq <= $2 AND status = 'sent' AND aggregate_id = ANY($3)`,
      [EXPIRED_DAYS_AGO, EXPIRED_SEQS, world.load.conversations.map(({ id }) => id)],
    );
    return { partition, rows: rowCount ?? 0 };
  });
}

export const LIMIT_SCENARIOS: readonly Scenario[] = [fullStream, expiry];
