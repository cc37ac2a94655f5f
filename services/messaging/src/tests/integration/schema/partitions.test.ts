import { randomUUID } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PostgresConversationLog } from '../../../adapters/postgres/conversation-log.ts';
import { PostgresIntakeLog } from '../../../adapters/postgres/intake-log.ts';
import { PostgresOperations } from '../../../adapters/postgres/operations.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { PostgresReaderLog } from '../../../adapters/postgres/reader-log.ts';
import { request, WHOLE } from '../../contract/log-under-test.ts';
import { dayPartitions, storePast } from './past.ts';
import { prompt } from './prompt.ts';
import { releases } from './releases.ts';

describe.each(releases)('partitions on $name', (release) => {
  const connect = (url: string) => {
    const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 4, callTimeoutMs: 20_000 });
    onTestFinished(() => pool.end());
    return pool;
  };
  const readSeqs = async (
    pool: PostgresPool,
    conversationId: string,
    asked: { after?: number; limit?: number } = {},
  ) => {
    const reader = new PostgresReaderLog(pool, { payloadLimitBytes: 100_000 });
    const [page] = await reader.readPages([{ conversationId, after: 0, ...WHOLE, ...asked }]);
    return page!.rows.map((row) => row.seq);
  };
  const countDefault = `SELECT count(*)::int AS count FROM messaging.message_outbox_default`;

  test('there is one for each day from today on, and the same call again makes none', async () => {
    const url = await release.migrated();
    const client = await prompt(url);
    expect(await dayPartitions(client)).toHaveLength(4);
    const operations = new PostgresOperations(connect(url));
    expect(await operations.ensurePartitions()).toBe(0);
    await client.query(`DROP TABLE messaging.${(await dayPartitions(client)).at(-1)}`);
    const made = await Promise.all(Array.from({ length: 4 }, () => operations.ensurePartitions()));
    expect(made.reduce((sum, count) => sum + count, 0)).toBe(1);
  });

  test('rows that had to go to DEFAULT are moved when their partition is made', async () => {
    const url = await release.migrated();
    const client = await prompt(url);
    for (const name of await dayPartitions(client)) await client.query(`DROP TABLE messaging.${name}`);
    const id = randomUUID();
    for (let count = 0; count < 5; count += 1) {
      await client.query(
        `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload, occurred_at)
         VALUES (gen_random_uuid(), gen_random_uuid(), 'MessageCreated', $1, '{}', now() - $2 * interval '5 hours')`,
        [id, count],
      );
    }
    await client.query(
      `UPDATE messaging.message_outbox SET status = 'sent', dispatched_at = now() WHERE seq = 2`,
    );
    expect((await client.query(countDefault)).rows).toEqual([{ count: 5 }]);
    const pool = connect(url);
    expect(await readSeqs(pool, id)).toEqual([1, 2, 3, 4, 5]);

    // Yesterday's rows too, or they would stay for ever.
    expect(await new PostgresOperations(pool).ensurePartitions()).toBeGreaterThanOrEqual(4);
    expect((await client.query(countDefault)).rows).toEqual([{ count: 0 }]);
    expect(await readSeqs(pool, id)).toEqual([1, 2, 3, 4, 5]);
    const { rows } = await client.query('SELECT status FROM messaging.message_outbox ORDER BY seq');
    expect(rows.map((row) => row.status)).toEqual(['pending', 'sent', 'pending', 'pending', 'pending']);
  });

  test('they are made while everybody writes', async () => {
    const url = await release.migrated();
    const client = await prompt(url);
    for (const name of await dayPartitions(client)) await client.query(`DROP TABLE messaging.${name}`);
    const pool = connect(url);
    const conversationId = randomUUID();
    await new PostgresConversationLog(pool).createConversation({
      conversationId,
      owner: 'olga',
      members: [],
    });
    const intake = new PostgresIntakeLog(pool);
    let accepted = 0;
    let making = true;
    const write = async () => {
      while (making) {
        const outcomes = await intake.append([request(conversationId, 'olga')], { waitForLock: false });
        accepted += outcomes.filter(({ kind }) => kind === 'accepted').length;
      }
    };
    const make = async () => {
      expect(await new PostgresOperations(pool).ensurePartitions()).toBe(4);
      making = false;
    };
    await Promise.all([write(), write(), make()]);
    expect(await readSeqs(pool, conversationId, { limit: 100_000 })).toHaveLength(accepted);
    expect((await client.query(countDefault)).rows).toEqual([{ count: 0 }]);
  });

  test('around midnight the order of partitions is not that of seq, and a page is whole', async () => {
    const url = await release.migrated();
    const client = await prompt(url);
    const id = randomUUID();
    await storePast(client, { conversationId: id, seqs: [1, 3, 6], daysAgo: 5 });
    await storePast(client, { conversationId: id, seqs: [2, 4, 7], daysAgo: 6 });
    await storePast(client, { conversationId: id, seqs: [5, 8], daysAgo: 0 });
    const pool = connect(url);
    expect(await readSeqs(pool, id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await readSeqs(pool, id, { after: 4 })).toEqual([5, 6, 7, 8]);
    expect(await readSeqs(pool, id, { after: 7 })).toEqual([8]);
    expect(await readSeqs(pool, id, { after: 2, limit: 3 })).toEqual([3, 4, 5]);
  });
});
