import { GROUP, STREAM, type ChaosWorld } from '../chaos-world.ts';
import { field } from '../held-entries.ts';
import type { MemberDevice } from '../member-device.ts';
import { lasting, promised, proven, type Scenario } from '../scenario.ts';
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
  losesEntries: true,
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
    }).catch(() => 0);
    return {
      proof: [
        proven('every consumer was stopped', stopped),
        proven(`${unread} never read, of which ${unread - length} are gone`, unread > length),
      ],
      promises: [
        promised(`${length} entries on it`, length <= STREAM_MAXLEN + 2 * NODE_ENTRIES),
        promised(`${counted} counted as trimmed unread`, counted > 0),
      ],
    };
  },
};

const EXPIRED_DAYS_AGO = 9;
/** The first messages of every conversation, long answered by then. */
const EXPIRED_SEQS = 10;

/** What the device that stays behind misses: it expires, all but the last of it. */
const MISSED_SEQS = 30;
const BEHIND_WITHIN_MS = 30_000;

const expiry: Scenario = {
  name: 'partition-expires',
  about:
    'the partition with the first messages of every conversation expires, and is dropped under load; a device that has not read them all comes to a pod that has just started',
  fault: async (world) => {
    const behind = world.load.devices[0]!;
    const missed = await fallBehind(world, behind);
    const { partition, rows } = await age(world, { ...missed, conversationId: behind.conversationId });
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
    // A pod that has been there for longer may still hold them in its memory, and delivers them.
    const started = world.pod('plain');
    await started.process.stop();
    await started.start();
    behind.connect(started.name);
    // Whoever comes now, from wherever, gets what it lacks or is told of it.
    for (const device of world.load.devices) if (device !== behind) device.cut();
    const wasTold = await told(behind, missed);
    return {
      proof: [
        proven(`${rows} rows were in the expired partition`, rows > 0),
        proven('the partition is gone', !left!.there),
      ],
      promises: [
        promised('every conversation with a row in it has its floor above', floors!.expired === rows),
        promised(`${behind.name} was told that ${missed.from} to ${missed.to} have expired`, wasTold),
      ],
    };
  },
};

interface Missed {
  readonly from: number;
  readonly to: number;
}

/** The device leaves, and its conversation goes on until there is enough that it has not seen. */
async function fallBehind(world: ChaosWorld, device: MemberDevice): Promise<Missed> {
  device.leave();
  const from = device.book.cursorOf(device.conversationId)! + 1;
  await eventually(async () => {
    const [row] = await world.sql<{ sent: number }>(
      `SELECT count(*)::int AS sent FROM messaging.message_outbox
       WHERE aggregate_id = $1 AND seq >= $2 AND status = 'sent'`,
      [device.conversationId, from],
    );
    if (row!.sent < MISSED_SEQS) throw new Error('the device is not behind yet');
  }, BEHIND_WITHIN_MS);
  return { from, to: from + MISSED_SEQS - EXPIRED_SEQS - 1 };
}

async function told(device: MemberDevice, { from, to }: Missed): Promise<boolean> {
  const expired = () => device.gaps.filter(({ reason }) => reason === 'retention');
  return eventually(() => {
    if (!expired().some((gap) => gap.from === from && gap.to >= to)) throw new Error('not yet');
    return true;
  }).catch(() => false);
}

/** Moves the first messages of every conversation into the past; of one of them, all up to what was missed. */
function age(
  world: ChaosWorld,
  missed: Missed & { readonly conversationId: string },
): Promise<{ partition: string; rows: number }> {
  return world.withPostgres(async (client) => {
    const partition = await partitionOfDay(client, EXPIRED_DAYS_AGO);
    await client.query('SET session_replication_role = replica');
    const { rows } = await client.query<{ message_id: string; was_missed: boolean }>(
      `UPDATE messaging.message_outbox SET occurred_at = occurred_at - $1 * interval '1 day'
       WHERE status = 'sent' AND aggregate_id = ANY($3)
         AND seq <= CASE WHEN aggregate_id = $4 THEN $5::bigint ELSE $2::bigint END
       RETURNING message_id, aggregate_id = $4 AND seq >= $6::bigint AS was_missed`,
      [
        EXPIRED_DAYS_AGO,
        EXPIRED_SEQS,
        world.load.conversations.map(({ id }) => id),
        missed.conversationId,
        missed.to,
        missed.from,
      ],
    );
    // One of its readers is never to get it, so nobody waits for it.
    for (const { message_id: id, was_missed: was } of rows) if (was) world.load.watch.withdrawn(id);
    return { partition, rows: rows.length };
  });
}

export const LIMIT_SCENARIOS: readonly Scenario[] = [fullStream, expiry];
