import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { storePast } from './past.ts';
import { prompt } from './prompt.ts';
import { releases } from './releases.ts';

const OPERATOR = { role: 'sanctum_operator' };

describe.each(releases)('what an operator types, on $name', (release) => {
  const insert = (conversationId: string, messageId: string = randomUUID()) =>
    `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
     VALUES (gen_random_uuid(), '${messageId}', 'MessageCreated', '${conversationId}', '{"ciphertext": "test"}')`;

  test('the INSERT of five columns finds its place', async () => {
    const operator = await prompt(await release.migrated(), OPERATOR);
    const id = randomUUID();
    await operator.query(insert(id));
    await operator.query(insert(id));
    const { rows } = await operator.query(
      `SELECT seq::int, status, attempts, replay_no, bucket = messaging.bucket_of(aggregate_id) AS its_bucket,
         size_bytes = octet_length(payload::text) AS its_size, dispatched_at IS NULL AS waits
       FROM messaging.message_outbox WHERE aggregate_id = $1 ORDER BY id`,
      [id],
    );
    const row = {
      status: 'pending',
      attempts: 0,
      replay_no: 0,
      its_bucket: true,
      its_size: true,
      waits: true,
    };
    expect(rows).toEqual([
      { seq: 1, ...row },
      { seq: 2, ...row },
    ]);
  });

  test('a message_id that the conversation has already is refused', async () => {
    const operator = await prompt(await release.migrated(), OPERATOR);
    const [id, messageId] = [randomUUID(), randomUUID()];
    await operator.query(insert(id, messageId));
    await expect(operator.query(insert(id, messageId))).rejects.toMatchObject({ code: '23505' });
    await operator.query(insert(randomUUID(), messageId));
    const { rows } = await operator.query(
      'SELECT last_seq::int FROM messaging.conversation WHERE conversation_id = $1',
      [id],
    );
    expect(rows).toEqual([{ last_seq: 1 }]);
  });

  test('no place can be typed: not by an operator, and without effect by the owner', async () => {
    const url = await release.migrated();
    const id = randomUUID();
    const typed = `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload,
        id, seq, status, attempts, replay_no, bucket, members_version, size_bytes)
      VALUES (gen_random_uuid(), gen_random_uuid(), 'MessageCreated', '${id}', '{}', -5, 77, 'sent', 3, 9, 63, 5, 1)`;
    const operator = await prompt(url, OPERATOR);
    await expect(operator.query(typed)).rejects.toMatchObject({ code: '42501' });
    await expect(operator.query('DELETE FROM messaging.message_outbox')).rejects.toMatchObject({
      code: '42501',
    });
    const owner = await prompt(url);
    await owner.query(typed);
    const { rows } = await owner.query(
      `SELECT id::int > 0 AS id, seq::int, status, attempts, replay_no, bucket = messaging.bucket_of(aggregate_id) AS bucket,
         members_version::int, size_bytes FROM messaging.message_outbox`,
    );
    expect(rows).toEqual([
      {
        id: true,
        seq: 1,
        status: 'pending',
        attempts: 0,
        replay_no: 0,
        bucket: true,
        members_version: 0,
        size_bytes: 2,
      },
    ]);
    const late = typed
      .replace('payload,', 'payload, occurred_at,')
      .replace(`'{}',`, `'{}', now() - INTERVAL '2 days',`);
    await expect(owner.query(late)).rejects.toMatchObject({ code: '23514' });
  });

  test('the UPDATE of the runbook sends again what had been sent, each time', async () => {
    const url = await release.migrated();
    const operator = await prompt(url, OPERATOR);
    const owner = await prompt(url);
    const id = randomUUID();
    for (let count = 0; count < 3; count += 1) await operator.query(insert(id));
    await owner.query(
      `UPDATE messaging.message_outbox SET status = 'sent', dispatched_at = now() WHERE seq < 3`,
    );
    const replay = `UPDATE messaging.message_outbox
      SET status = 'pending', attempts = 0, dispatched_at = NULL
      WHERE aggregate_id = '${id}'
        AND occurred_at > NOW() - INTERVAL '1 hour'`;
    await operator.query(replay);
    await operator.query(replay);
    const read = async () =>
      (await operator.query('SELECT status, replay_no FROM messaging.message_outbox ORDER BY seq')).rows;
    expect(await read()).toEqual([
      { status: 'pending', replay_no: 1 },
      { status: 'pending', replay_no: 1 },
      { status: 'pending', replay_no: 0 },
    ]);
    await owner.query(`UPDATE messaging.message_outbox SET status = 'sent'`);
    await operator.query(replay);
    expect((await read()).map((row) => row.replay_no)).toEqual([2, 2, 1]);
  });

  test('dead rows are requeued', async () => {
    const url = await release.migrated();
    const operator = await prompt(url, OPERATOR);
    await operator.query(insert(randomUUID()));
    const owner = await prompt(url);
    await owner.query(`UPDATE messaging.message_outbox
      SET status = 'dead', attempts = 10, last_error = 'refused', next_attempt_at = now() + interval '1 hour'`);
    await operator.query(
      `UPDATE messaging.message_outbox SET status = 'pending', attempts = 0, last_error = NULL WHERE status = 'dead'`,
    );
    const { rows } = await operator.query(
      'SELECT status, attempts, last_error, replay_no, next_attempt_at FROM messaging.message_outbox',
    );
    expect(rows).toEqual([
      { status: 'pending', attempts: 0, last_error: null, replay_no: 1, next_attempt_at: null },
    ]);
  });

  test("pruning is an operator's work", async () => {
    const url = await release.migrated();
    const owner = await prompt(url);
    const id = randomUUID();
    await storePast(owner, { conversationId: id, seqs: [1, 2], daysAgo: 9 });
    await owner.query(`INSERT INTO messaging.message_dlq (entry_id, source_stream, group_name, payload, reason, last_seen_at)
      VALUES ('1-0', 's', 'g', '{}', 'old', now() - interval '31 days'), ('2-0', 's', 'g', '{}', 'new', now())`);
    const operator = await prompt(url, OPERATOR);
    await operator.query(`CALL messaging.prune_message_outbox(INTERVAL '7 days')`);
    await operator.query(`CALL messaging.prune_message_dlq(INTERVAL '30 days')`);
    const { rows } = await operator.query(
      'SELECT floor_seq::int FROM messaging.conversation WHERE conversation_id = $1',
      [id],
    );
    expect(rows).toEqual([{ floor_seq: 2 }]);
    expect((await operator.query('SELECT reason FROM messaging.message_dlq')).rows).toEqual([
      { reason: 'new' },
    ]);
    await expect(operator.query(`CALL messaging.prune_message_outbox(NULL)`)).rejects.toMatchObject({
      code: '22023',
    });
    await expect(operator.query(`CALL messaging.prune_message_dlq(INTERVAL '-1 day')`)).rejects.toMatchObject(
      { code: '22023' },
    );
  });
});
