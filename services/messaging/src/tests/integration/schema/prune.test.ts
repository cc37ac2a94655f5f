import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PostgresConversationLog } from '../../../adapters/postgres/conversation-log.ts';
import { PostgresIntakeLog } from '../../../adapters/postgres/intake-log.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { PostgresReaderLog } from '../../../adapters/postgres/reader-log.ts';
import { request, WHOLE } from '../../contract/log-under-test.ts';
import { eventually } from '../../support/eventually.ts';
import { dayPartitions, partitionOfDay, storePast } from './past.ts';
import { prompt } from './prompt.ts';
import { releases } from './releases.ts';

const PRUNE = `CALL messaging.prune_message_outbox(INTERVAL '7 days')`;

describe.each(releases)('pruning on $name', (release) => {
  const connect = (url: string) => {
    const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 4, callTimeoutMs: 20_000 });
    onTestFinished(() => pool.end());
    return pool;
  };
  const floorOf = async (client: pg.Client, id: string) => {
    const { rows } = await client.query(
      'SELECT floor_seq::int AS floor FROM messaging.conversation WHERE conversation_id = $1',
      [id],
    );
    return rows[0].floor as number;
  };
  const rowsOf = async (client: pg.Client, id: string) => {
    const { rows } = await client.query(
      'SELECT seq::int, status, kept FROM messaging.message_outbox WHERE aggregate_id = $1 ORDER BY seq',
      [id],
    );
    return rows as { seq: number; status: string; kept: boolean }[];
  };

  test('drops the days that are over, raises the floors, and is done when called again', async () => {
    const client = await prompt(await release.migrated());
    const [a, b] = [randomUUID(), randomUUID()];
    await storePast(client, { conversationId: a, seqs: [1, 2], daysAgo: 10 });
    await storePast(client, { conversationId: a, seqs: [3], daysAgo: 9 });
    await storePast(client, { conversationId: a, seqs: [4, 5], daysAgo: 2 });
    await storePast(client, { conversationId: b, seqs: [1], daysAgo: 2 });
    const before = await dayPartitions(client);
    await client.query(PRUNE);
    expect(await dayPartitions(client)).toEqual(before.slice(2));
    expect([await floorOf(client, a), await floorOf(client, b)]).toEqual([3, 0]);
    expect((await rowsOf(client, a)).map((row) => row.seq)).toEqual([4, 5]);
    await client.query(PRUNE);
    expect(await dayPartitions(client)).toEqual(before.slice(2));
    expect(await floorOf(client, a)).toBe(3);
  });

  test('around midnight the floor covers what a newer day still holds', async () => {
    const url = await release.migrated();
    const client = await prompt(url);
    const id = randomUUID();
    await storePast(client, { conversationId: id, seqs: [1, 3], daysAgo: 9 });
    await storePast(client, { conversationId: id, seqs: [2, 4], daysAgo: 5 });
    await client.query(PRUNE);
    expect(await floorOf(client, id)).toBe(3);
    const reader = new PostgresReaderLog(connect(url), { payloadLimitBytes: 100_000 });
    const [page] = await reader.readPages([{ conversationId: id, after: 0, ...WHOLE }]);
    expect(page).toMatchObject({ head: 4, floor: 3, complete: true, rows: [{ seq: 4 }] });
  });

  test('the conversation with the lowest id of all is no exception', async () => {
    const client = await prompt(await release.migrated());
    const id = '00000000-0000-0000-0000-000000000000';
    await storePast(client, { conversationId: id, seqs: [1, 2], daysAgo: 9 });
    await client.query(PRUNE);
    expect(await floorOf(client, id)).toBe(2);
  });

  test('dead rows outlive their day, can be requeued, and go in the end', async () => {
    const client = await prompt(await release.migrated());
    const id = randomUUID();
    await storePast(client, { conversationId: id, seqs: [1, 4], daysAgo: 9 });
    await storePast(client, { conversationId: id, seqs: [2, 3], daysAgo: 9, status: 'dead' });
    await client.query(PRUNE);
    await client.query(PRUNE);
    const dead = { status: 'dead', kept: true };
    expect(await rowsOf(client, id)).toEqual([
      { seq: 2, ...dead },
      { seq: 3, ...dead },
    ]);
    expect(await floorOf(client, id)).toBe(4);

    await client.query(
      `UPDATE messaging.message_outbox SET status = 'pending', attempts = 0, last_error = NULL WHERE status = 'dead' AND seq = 2`,
    );
    expect(await rowsOf(client, id)).toMatchObject([{ status: 'pending' }, { status: 'dead' }]);
    await client.query(PRUNE);
    await client.query(`CALL messaging.prune_message_dlq(INTERVAL '7 days')`);
    expect(await rowsOf(client, id)).toMatchObject([{ seq: 2, status: 'pending' }]);
    await client.query(
      `UPDATE messaging.message_outbox SET status = 'sent', dispatched_at = now() - interval '8 days'`,
    );
    await client.query(PRUNE);
    expect(await rowsOf(client, id)).toEqual([]);
  });

  test('floors rise before the partition goes, and who reads it holds up only the drop', async () => {
    const url = await release.migrated();
    const client = await prompt(url);
    const id = randomUUID();
    const partition = await storePast(client, { conversationId: id, seqs: [1, 2, 3], daysAgo: 9 });
    const reader = await prompt(url);
    await reader.query('BEGIN');
    await reader.query(`SELECT count(*) FROM messaging.${partition}`);

    const pruner = await prompt(url);
    const pruning = pruner.query(PRUNE);
    await eventually(async () => expect(await floorOf(client, id)).toBe(3));
    expect(await dayPartitions(client)).toContain(partition);
    await reader.query('COMMIT');
    await pruning;
    expect(await dayPartitions(client)).not.toContain(partition);
  });

  test('a transaction that was left open on its day is waited for', async () => {
    const url = await release.migrated();
    const client = await prompt(url);
    const id = randomUUID();
    const partition = await partitionOfDay(client, 9);
    const writer = await prompt(url);
    await writer.query('BEGIN');
    await storePast(writer, { conversationId: id, seqs: [1, 2], daysAgo: 9 });

    const pruner = await prompt(url);
    const pruning = pruner.query(PRUNE);
    await eventually(async () => {
      const { rows } = await client.query(
        `SELECT 1 FROM pg_locks WHERE relation = $1::regclass AND NOT granted`,
        [`messaging.${partition}`],
      );
      expect(rows).toHaveLength(1);
    });
    await writer.query('COMMIT');
    await pruning;
    expect(await floorOf(client, id)).toBe(2);
    expect(await dayPartitions(client)).not.toContain(partition);
  });

  test('nobody who writes notices', async () => {
    const url = await release.migrated();
    const client = await prompt(url);
    const pool = connect(url);
    const conversationId = randomUUID();
    await new PostgresConversationLog(pool).createConversation({
      conversationId,
      owner: 'olga',
      members: [],
    });
    for (const daysAgo of [8, 9, 10, 11]) {
      for (let count = 0; count < 3; count += 1) {
        await storePast(client, { conversationId: randomUUID(), seqs: [1, 2, 3], daysAgo });
      }
    }
    const intake = new PostgresIntakeLog(pool);
    let pruning = true;
    const accepted: number[] = [];
    const write = async () => {
      while (pruning) {
        const outcomes = await intake.append([request(conversationId, 'olga')], { waitForLock: false });
        for (const outcome of outcomes) if (outcome.kind === 'accepted') accepted.push(outcome.seq);
      }
    };
    const prune = async () => {
      await client.query(PRUNE);
      pruning = false;
    };
    await Promise.all([write(), write(), prune()]);
    expect(await dayPartitions(client)).toHaveLength(4);
    expect(accepted.sort((a, b) => a - b)).toEqual(accepted.map((_, index) => index + 1));
    expect((await rowsOf(client, conversationId)).map((row) => row.seq)).toEqual(accepted);
    expect(await floorOf(client, conversationId)).toBe(0);
  });
});
