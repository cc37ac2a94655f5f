import { type ChaosWorld, GROUP, STREAM } from './chaos-world.ts';

const EXAMPLES_MAX = 5;

/** What still has to happen until everybody has everything, in words; [] when nothing has to. */
export async function unsettled(world: ChaosWorld): Promise<string[]> {
  return [...(await behindTheHead(world)), ...(await pendingRows(world)), ...(await pendingEntries(world))];
}

async function behindTheHead({ load, sql }: ChaosWorld): Promise<string[]> {
  const rows = await sql<{ conversation_id: string; last_seq: string }>(
    'SELECT conversation_id, last_seq FROM messaging.conversation WHERE conversation_id = ANY($1)',
    [load.conversations.map(({ id }) => id)],
  );
  const heads = new Map(rows.map((row) => [row.conversation_id, Number(row.last_seq)]));
  const behind = load.devices.flatMap(({ name, isReady, book, conversationId }) => {
    if (!isReady) return [`${name} is not connected`];
    const [is, should] = [book.cursorOf(conversationId), heads.get(conversationId)];
    return is === should ? [] : [`${name} is at ${is} and should be at ${should}`];
  });
  return behind.length > EXAMPLES_MAX
    ? [...behind.slice(0, EXAMPLES_MAX), `… and ${behind.length - EXAMPLES_MAX} devices more`]
    : behind;
}

async function pendingRows({ sql }: ChaosWorld): Promise<string[]> {
  const [row] = await sql<{ count: string }>(
    `SELECT count(*) FROM messaging.message_outbox WHERE status = 'pending' AND event_type <> 'SyntheticProbe'`,
  );
  return row!.count === '0' ? [] : [`${row!.count} rows are pending`];
}

/** Rejects where the group is gone. */
function pendingEntries(world: ChaosWorld): Promise<string[]> {
  return world.withRedis(async (redis) => {
    const [count] = (await redis.xpending(STREAM, GROUP)) as [number];
    return count === 0 ? [] : [`${count} entries are read and not acknowledged`];
  });
}

/** Rows that were buried, the service's own synthetic ones aside. */
export async function deadRows({ sql }: ChaosWorld): Promise<number> {
  const [row] = await sql<{ count: string }>(
    `SELECT count(*) FROM messaging.message_outbox WHERE status = 'dead' AND event_type <> 'SyntheticProbe'`,
  );
  return Number(row!.count);
}
