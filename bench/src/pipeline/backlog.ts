import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Redis } from 'ioredis';
import { cpuSeconds } from '../processes.ts';
import type { Stack } from '../stack.ts';

const CONVERSATIONS = 2_000;
const PIECE = 10_000;
const CIPHERTEXT_BYTES = 384;

/** A backlog drained by one dispatcher, from the first row sent to the last, and whether its order held. */
export async function measureBacklog(stack: Stack, options: { rows: number }) {
  const database = new pg.Client(stack.postgres.url);
  await database.connect();
  // The schema is there from the first pod on.
  await database.query(
    `INSERT INTO messaging.conversation (conversation_id) SELECT gen_random_uuid() FROM generate_series(1, $1)`,
    [CONVERSATIONS],
  );
  await database.query(`INSERT INTO messaging.conversation_member (conversation_id, user_id, role, joined_seq, members_version)
    SELECT conversation_id, 'backlog', 'owner', 1, 0 FROM messaging.conversation c
    WHERE NOT EXISTS (SELECT FROM messaging.conversation_member m WHERE m.conversation_id = c.conversation_id)
    ON CONFLICT DO NOTHING`);
  const payload = JSON.stringify({
    ciphertext: randomBytes(CIPHERTEXT_BYTES).toString('base64'),
    sender: 'backlog',
  });
  for (let done = 0; done < options.rows; done += PIECE) {
    await database.query(
      `WITH input AS (
         SELECT c.conversation_id, gen_random_uuid() AS message_id, gen_random_uuid() AS event_id
         FROM (SELECT conversation_id, row_number() OVER () AS n FROM messaging.conversation_member
               WHERE user_id = 'backlog' LIMIT ${CONVERSATIONS}) c
         JOIN generate_series(1, $1) s ON c.n = 1 + s % ${CONVERSATIONS})
       SELECT count(*) FROM (
         SELECT array_agg(conversation_id) AS c, array_agg(message_id) AS m, array_agg(event_id) AS e FROM input) x,
       LATERAL messaging.append_messages(x.c, x.m, x.e, array_fill('backlog'::text, ARRAY[$1::int]),
         array_fill($2::text, ARRAY[$1::int]), array_fill('\\x00'::bytea, ARRAY[$1::int]), true) a`,
      [PIECE, payload],
    );
  }
  await database.query('VACUUM ANALYZE messaging.message_outbox');
  const redis = new Redis(stack.redis.url);
  await redis.del('sanctum:messages');

  const startedAt = performance.now();
  const postgresBefore = cpuSeconds(stack.postgres.pid);
  const redisBefore = cpuSeconds(stack.redis.pid);
  const pod = await stack.pod({ CONSUMER_ENABLED: 'false', CONSUMER_NAME: 'backlog' });
  const firstSeen = performance.now();
  const already = await redis.xlen('sanctum:messages');
  let length = already;
  while (length < options.rows) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    length = await redis.xlen('sanctum:messages');
  }
  const seconds = (performance.now() - firstSeen) / 1000;
  const result = {
    rows: options.rows,
    rows_per_second: Math.round((options.rows - already) / seconds),
    seconds_with_start: Math.round((performance.now() - startedAt) / 10) / 100,
    steps_back: await stepsBack(redis),
    cpu_us_per_row: {
      service: Math.round((cpuSeconds(pod.pid) * 1e6) / options.rows),
      postgres: Math.round(((cpuSeconds(stack.postgres.pid) - postgresBefore) * 1e6) / options.rows),
      redis: Math.round(((cpuSeconds(stack.redis.pid) - redisBefore) * 1e6) / options.rows),
    },
  };
  await pod.stop();
  redis.disconnect();
  await database.end();
  return result;
}

/** Entries whose seq is not above the last one of their conversation. */
async function stepsBack(redis: Redis): Promise<number> {
  const last = new Map<string, number>();
  let count = 0;
  for (let from = '-'; ;) {
    const entries = await redis.xrange('sanctum:messages', from, '+', 'COUNT', 5_000);
    for (const [, fields] of entries) {
      const field = (name: string) => fields[fields.indexOf(name) + 1]!;
      const seq = Number(field('seq'));
      if (seq <= (last.get(field('conversation_id')) ?? 0)) count += 1;
      last.set(field('conversation_id'), seq);
    }
    const end = entries.at(-1)?.[0];
    if (end === undefined) return count;
    from = `(${end}`;
  }
}
