import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { PostgresConversationLog } from '../../../adapters/postgres/conversation-log.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { PostgresReaderLog } from '../../../adapters/postgres/reader-log.ts';
import { eventually } from '../../support/eventually.ts';
import { freshDatabase } from '../../support/servers.ts';
import { prompt } from './prompt.ts';

const actorOf = (userId: string, manage = false) => ({ userId, manage, operate: false });

async function scene() {
  const url = await freshDatabase();
  const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 4, callTimeoutMs: 20_000 });
  onTestFinished(() => pool.end());
  const conversations = new PostgresConversationLog(pool);
  const conversationId = randomUUID();
  await conversations.createConversation({ conversationId, owner: 'olga', members: ['mia', 'rita'] });
  return {
    client: await prompt(url),
    onlooker: await prompt(url),
    reader: new PostgresReaderLog(pool, { payloadLimitBytes: 1000 }),
    conversations,
    conversationId,
    add: (actor: string, userId: string) =>
      conversations.addMember({ conversationId, actor: actorOf(actor), userId }),
    remove: (actor: string, userId: string, manage = false) =>
      conversations.removeMember({ conversationId, actor: actorOf(actor, manage), userId }),
  };
}

test('whoever may change nothing is refused without waiting for the conversation', async () => {
  const { client, conversationId, add, remove } = await scene();
  await remove('rita', 'rita');
  await client.query('BEGIN');
  await client.query('SELECT FROM messaging.conversation WHERE conversation_id = $1 FOR UPDATE', [
    conversationId,
  ]);
  for (const stranger of ['rita', 'stranger']) {
    expect(await add(stranger, 'rita')).toEqual({ kind: 'conversation_not_found' });
    expect(await remove(stranger, 'mia')).toEqual({ kind: 'conversation_not_found' });
  }
  expect(await add('mia', 'rita')).toEqual({ kind: 'not_owner' });
  expect(await remove('mia', 'olga')).toEqual({ kind: 'not_owner' });
  expect(await remove('rita', 'rita')).toEqual({ kind: 'absent' });
  expect(await remove('stranger', 'stranger')).toEqual({ kind: 'conversation_not_found' });
  await expect(add('olga', 'rita')).rejects.toMatchObject({ code: 'contention' });
  await client.query('ROLLBACK');
  expect(await add('olga', 'rita')).toMatchObject({ kind: 'added' });
});

test.each([
  ['add', 'rita'],
  ['remove', 'mia'],
] as const)('an owner who is removed while their %s waits changes nothing', async (change, userId) => {
  const { client, onlooker, conversationId, ...changes } = await scene();
  await client.query('BEGIN');
  await client.query(`SELECT messaging.remove_member($1, 'backend', true, 'olga')`, [conversationId]);
  const late = changes[change]('olga', userId);
  await eventually(async () => {
    const { rows } = await onlooker.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    expect(rows).toHaveLength(1);
  });
  await client.query('COMMIT');
  expect(await late).toEqual({ kind: 'conversation_not_found' });
});

test('a user without room is told before anybody else’s row is touched', async () => {
  const { client, conversations } = await scene();
  await client.query(
    `INSERT INTO messaging.user_state (user_id, conversation_count) VALUES ('anna', 1), ('full', 10000)`,
  );
  await client.query('BEGIN');
  await client.query(`SELECT FROM messaging.user_state WHERE user_id = 'anna' FOR UPDATE`);
  const conversationId = randomUUID();
  expect(
    await conversations.createConversation({ conversationId, owner: 'olga', members: ['anna', 'full'] }),
  ).toEqual({ kind: 'too_many_conversations' });
});

test('of what a user has left only the latest is read, beside all that they are in', async () => {
  const { client, conversationId, reader, remove } = await scene();
  await client.query(
    `WITH made AS (INSERT INTO messaging.conversation (conversation_id, owner)
       SELECT gen_random_uuid(), 'olga' FROM generate_series(1, 6000) RETURNING conversation_id)
     INSERT INTO messaging.conversation_member
       (conversation_id, user_id, role, joined_seq, left_seq, members_version, left_at)
     SELECT conversation_id, 'rita', 'member', 1, 0, 2,
       now() - CASE WHEN row_number() OVER () <= 3000 THEN interval '11 minutes' ELSE interval '10 seconds' END
     FROM made`,
  );
  const read = async () => {
    const { users } = await reader.readUsers(['rita', 'mia'], { withLeft: true });
    return users.map(({ memberships }) => memberships);
  };
  const [rita, mia] = await read();
  expect(mia).toEqual([expect.objectContaining({ conversationId, present: true })]);
  expect(rita!.filter(({ present }) => present)).toEqual(mia);
  expect(rita).toHaveLength(1 + 1000);
  await remove('rita', 'rita');
  const [after] = await read();
  expect(after).toHaveLength(1000);
  expect(after).toContainEqual(expect.objectContaining({ conversationId, leftSeq: 0, present: false }));
});
