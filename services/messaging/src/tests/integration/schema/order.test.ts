import { randomUUID } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PostgresConversationLog } from '../../../adapters/postgres/conversation-log.ts';
import { PostgresIntakeLog } from '../../../adapters/postgres/intake-log.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { request } from '../../contract/log-under-test.ts';
import { prompt } from './prompt.ts';
import { releases } from './releases.ts';

const CONVERSATIONS = 6;
const ROUNDS = 40;
const WRITERS = 4;

describe.each(releases)('order on $name', (release) => {
  test('ORDER BY id is the order of seq, and no snapshot has a hole, whoever writes', async () => {
    const url = await release.migrated();
    const pool = new PostgresPool({
      url,
      applicationName: 'test',
      maxConnections: WRITERS,
      callTimeoutMs: 20_000,
    });
    onTestFinished(() => pool.end());
    const conversations = new PostgresConversationLog(pool);
    const ids = Array.from({ length: CONVERSATIONS }, () => randomUUID());
    for (const conversationId of ids)
      await conversations.createConversation({ conversationId, owner: 'olga', members: [] });

    const intake = new PostgresIntakeLog(pool);
    const appendGroups = async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const group = ids.flatMap((id) => [request(id, 'olga'), request(id, 'olga'), request(id, 'olga')]);
        // Counters that are held make busy outcomes: as for intake, those are nothing to this test.
        await intake.append(group, { waitForLock: false });
      }
    };
    const insertByHand = async () => {
      const client = await prompt(url);
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const id of ids) {
          await client.query(
            `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
             VALUES (gen_random_uuid(), gen_random_uuid(), 'MessageCreated', $1, '{}')`,
            [id],
          );
        }
      }
    };

    let writing = true;
    let snapshots = 0;
    let holes = 0;
    const look = async () => {
      const client = await prompt(url);
      while (writing) {
        const { rows } = await client.query(
          `SELECT count(*)::int AS holes FROM (
             SELECT c.last_seq, count(o.seq) AS rows, coalesce(max(o.seq), 0) AS top
             FROM messaging.conversation c LEFT JOIN messaging.message_outbox o ON o.aggregate_id = c.conversation_id
             GROUP BY c.conversation_id) x WHERE x.last_seq <> x.rows OR x.last_seq <> x.top`,
        );
        holes += rows[0].holes;
        snapshots += 1;
      }
    };
    const writers = Array.from({ length: WRITERS }, () => [appendGroups(), insertByHand()]).flat();
    const done = Promise.all(writers).finally(() => (writing = false));
    await Promise.all([done, look()]);
    expect(snapshots).toBeGreaterThan(5);
    expect(holes).toBe(0);

    const client = await prompt(url);
    const { rows } = await client.query(
      `SELECT count(*)::int AS rows, count(*) FILTER (WHERE seq <> place)::int AS inversions
       FROM (SELECT seq, row_number() OVER (PARTITION BY aggregate_id ORDER BY id) AS place
             FROM messaging.message_outbox) x`,
    );
    expect(rows[0].rows).toBeGreaterThan(WRITERS * ROUNDS * CONVERSATIONS);
    expect(rows[0].inversions).toBe(0);
  });
});
