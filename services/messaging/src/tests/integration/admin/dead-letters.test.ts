import { randomUUID } from 'node:crypto';
import {
  type Audit,
  deadLetters as deadLettersSchema,
  type DeadLetters,
  type Job,
  job as jobSchema,
  type JobEstimate,
  jobEstimate,
  type Jobs,
} from '@sanctum/protocol/admin';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene, STREAM } from '../../support/scene.ts';
import { addMutePod, operatorOf, type Operator } from './admin-scene.ts';

/** What no answer of the admin API may hold. */
const MARKER = 'bWFya2VyLW1hcmtlcg==';

let scene: Scene;
let pods: Pod[];
let operator: Operator;
const answers: string[] = [];

beforeAll(async () => {
  scene = await Scene.begin();
  pods = [await scene.pod(), await scene.pod()];
  operator = await operatorOf(pods[0]!);
  await operator.untilSeen(pods.length);
});
afterAll(async () => {
  operator.close();
  await scene.end();
});

async function ended(jobId: string, asked = operator): Promise<Job> {
  return eventually(async () => {
    const job = await asked.get<Job>(`/jobs/${jobId}`);
    expect(job.state).not.toBe('running');
    return jobSchema.parse(job);
  });
}

/** A conversation with `count` messages whose first `dead` have died of `cause`. */
async function withDead(owner: string, count: number, dead: number, cause = 'test_refused'): Promise<string> {
  const conversationId = await scene.conversation(pods[0]!, [owner, `${owner}-2`]);
  const http = await scene.http(pods[0]!, owner);
  for (let i = 0; i < count; i++) await http.postMessage(conversationId, { ciphertext: MARKER });
  await eventually(async () => expect(await scene.onStream(conversationId)).toHaveLength(count));
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  await scene.sql(
    `UPDATE messaging.message_outbox SET status = 'dead', last_error = $2, attempts = 10
     WHERE aggregate_id = $1 AND seq <= $3`,
    [conversationId, cause, dead],
  );
  return conversationId;
}

async function list(query: string): Promise<DeadLetters> {
  const answer = await operator.get<DeadLetters>(`/dead-letters?${query}`);
  answers.push(JSON.stringify(answer));
  return deadLettersSchema.parse(answer);
}

describe('dead rows', () => {
  it('are listed with cause and age, by cause and conversation, page by page', async () => {
    const one = await withDead('ann', 3, 2);
    await withDead('bob', 1, 1, 'other_cause');
    const all = await list('kind=row');
    expect(all.total).toBe(3);
    expect(all.causes).toMatchObject([
      { cause: 'test_refused', count: 2 },
      { cause: 'other_cause', count: 1 },
    ]);
    expect((await list(`conversation_id=${one}`)).dead_letters.map(({ seq }) => seq)).toEqual([2, 1]);
    expect((await list('cause=other_cause')).dead_letters).toHaveLength(1);
    const first = await list('limit=2');
    const rest = await list(`limit=2&cursor=${first.next_cursor}`);
    expect([...first.dead_letters, ...rest.dead_letters]).toEqual(
      all.dead_letters.map((each) => ({ ...each, age_seconds: expect.any(Number) })),
    );
    expect(rest.next_cursor).toBeNull();
  });

  it('are requeued one by one, and by cause, and reach their readers', async () => {
    const conversationId = await withDead('cat', 4, 3, 'by_cause');
    const client = await scene.connect(pods[1]!, 'cat-2', { withoutCursor: 'start' });
    await client.until(() => client.received.caughtUpCount === 1);
    const [latest] = (await list(`conversation_id=${conversationId}`)).dead_letters;
    const dry = await operator.send<JobEstimate>('POST', '/dead-letters/requeue', {
      kind: 'row',
      cause: 'by_cause',
      dry_run: true,
    });
    expect(dry).toEqual({
      messages: 3,
      conversations: 1,
      clients: 1,
      pods_missing: [],
      conversations_uncounted: 0,
      from: 1,
      to: 3,
    });
    const single = await operator.send<Job>('POST', '/dead-letters/requeue', {
      kind: 'row',
      ids: [latest!.id],
    });
    expect(await ended(single.job_id)).toMatchObject({ state: 'done', done: 1, total: 1 });
    const rest = await operator.send<Job>('POST', '/dead-letters/requeue', {
      kind: 'row',
      cause: 'by_cause',
    });
    // Any pod tells of it.
    const other = await operatorOf(pods[1]!);
    expect(await ended(rest.job_id, other)).toMatchObject({
      state: 'done',
      done: 2,
      started_by: 'ops@example',
    });
    other.close();
    await eventually(() => {
      const replayed = client.received.messages.filter(
        (frame) => frame.conversationId === conversationId && (frame.replay ?? 0) > 0,
      );
      expect(new Set(replayed.map(({ seq }) => seq))).toEqual(new Set([1, 2, 3]));
    });
    expect((await list('cause=by_cause')).dead_letters).toEqual([]);
  });

  it('of many conversations go in pieces, each row once', async () => {
    await scene.sql(
      `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
       SELECT gen_random_uuid(), gen_random_uuid(), 'Test', md5((n / 7)::text)::uuid, '{}'
       FROM generate_series(1, 450) n`,
    );
    const all = `aggregate_id IN (SELECT md5((n / 7)::text)::uuid FROM generate_series(1, 450) n)`;
    const count = async (status: string) =>
      Number(
        (
          await scene.sql<{ count: string }>(
            `SELECT count(*) FROM messaging.message_outbox WHERE ${all} AND status = $1`,
            [status],
          )
        )[0]!.count,
      );
    await eventually(async () => expect(await count('sent')).toBe(450));
    await scene.sql(
      `UPDATE messaging.message_outbox SET status = 'dead', last_error = 'in_pieces' WHERE ${all}`,
    );
    const job = await operator.send<Job>('POST', '/dead-letters/requeue', {
      kind: 'row',
      cause: 'in_pieces',
    });
    expect(await ended(job.job_id)).toMatchObject({ state: 'done', done: 450, total: 450 });
    await eventually(async () => expect(await count('sent')).toBe(450));
  });

  it('of more conversations than are looked at: an estimate says so', async () => {
    await scene.sql(
      `INSERT INTO messaging.message_dlq (entry_id, source_stream, group_name, aggregate_id, payload, reason)
       SELECT n || '-0', 'many', 'messaging-hub', md5(n::text)::uuid::text, '[]', 'of_many'
       FROM generate_series(1, 1200) n`,
    );
    const body = { kind: 'entry', cause: 'of_many', dry_run: true };
    expect(await operator.send<JobEstimate>('POST', '/dead-letters/requeue', body)).toMatchObject({
      messages: 1200,
      conversations: 1200,
      conversations_uncounted: 200,
    });
    await scene.sql(`DELETE FROM messaging.message_dlq WHERE source_stream = 'many'`);
  });

  it('of a kind go only when all are asked for', async () => {
    const body = { kind: 'row' };
    expect((await operator.http.request('POST', '/admin/v1/dead-letters/requeue', { body })).status).toBe(
      400,
    );
  });
});

describe('stream entries that nobody could use', () => {
  it('are listed without what they held; requeued, the message that they name is sent again', async () => {
    const conversationId = await scene.conversation(pods[0]!, ['dan', 'dora']);
    const http = await scene.http(pods[0]!, 'dan');
    const messageId = randomUUID();
    await http.postMessage(conversationId, { messageId, ciphertext: MARKER });
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
    const named = ['v', '9', 'message_id', messageId, 'conversation_id', conversationId, 'payload', MARKER];
    await scene.redis.xadd(STREAM, '*', ...named);
    await scene.redis.xadd(STREAM, '*', 'v', '1', 'payload', MARKER);
    const entries = await eventually(async () => {
      const { dead_letters } = await list('kind=entry');
      expect(dead_letters).toHaveLength(2);
      return dead_letters;
    });
    // Either pod may have read either of them.
    expect(entries.find((entry) => entry.conversation_id === conversationId)).toMatchObject({
      stream: STREAM,
      group: 'messaging-hub',
    });
    const job = await operator.send<Job>('POST', '/dead-letters/requeue', { kind: 'entry', all: true });
    expect(await ended(job.job_id)).toMatchObject({ state: 'done', done: 1, skipped: 1, total: 2 });
    await eventually(async () => {
      const sent = await scene.onStream(conversationId);
      expect(sent.filter(({ message_id, v }) => message_id === messageId && v === '1')).toHaveLength(2);
    });
    expect((await list('kind=entry')).dead_letters).toHaveLength(1);
  });
});

describe('a replay', () => {
  it('says first how many messages and clients it touches, then sends them again, once', async () => {
    const conversationId = await scene.conversation(pods[0]!, ['eve', 'emil']);
    const client = await scene.connect(pods[1]!, 'emil');
    await client.until(() => client.received.caughtUpCount === 1);
    await scene.post(pods[0]!, 'eve', conversationId, 3);
    // The next millisecond: what was posted just now may be of this one.
    const next = Date.now() + 1;
    await eventually(() => expect(Date.now()).toBeGreaterThanOrEqual(next));
    const since = new Date(next).toISOString();
    await scene.post(pods[0]!, 'eve', conversationId, 4);
    await client.untilMessages(conversationId, 7);
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
    const body = { conversation_id: conversationId, since };
    const dry = await operator.send<JobEstimate>('POST', '/replays', { ...body, dry_run: true });
    expect(dry).toMatchObject({
      messages: 4,
      conversations: 1,
      clients: 1,
      pods_missing: [],
      from: 4,
      to: 7,
    });
    const mute = await addMutePod(scene);
    expect(await operator.send<JobEstimate>('POST', '/replays', { ...body, dry_run: true })).toMatchObject({
      clients: 1,
      pods_missing: ['mute'],
    });
    await scene.sql('DELETE FROM messaging.pod_figures WHERE instance = $1', [mute]);
    expect(await scene.onStream(conversationId)).toHaveLength(7);
    // What is sent between question and answer is not replayed.
    const { until } = jobEstimate.parse(dry);
    await scene.post(pods[0]!, 'eve', conversationId);
    await client.untilMessages(conversationId, 8);
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
    const job = await operator.send<Job>('POST', '/replays', {
      ...body,
      until,
      reason: 'a client lost them',
    });
    expect(await ended(job.job_id)).toMatchObject({ kind: 'replay', state: 'done', done: 4, total: 4 });
    await eventually(() => {
      const replayed = client.received.messages.filter(({ replay }) => replay > 0);
      expect(new Set(replayed.map(({ seq }) => seq))).toEqual(new Set([4, 5, 6, 7]));
    });
    const { entries } = await operator.get<Audit>('/audit?limit=1');
    expect(entries[0]).toMatchObject({
      action: 'replay',
      target: conversationId,
      parameters: { reason: 'a client lost them', total: 4, job_id: job.job_id },
    });
  });

  it('can be stopped on its way, from another pod', async () => {
    const conversationId = randomUUID();
    await scene.sql(
      `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
       SELECT gen_random_uuid(), gen_random_uuid(), 'Test', $1, '{}' FROM generate_series(1, 3000)`,
      [conversationId],
    );
    await eventually(async () => {
      const [row] = await scene.sql<{ sent: string }>(
        `SELECT count(*) AS sent FROM messaging.message_outbox WHERE aggregate_id = $1 AND status = 'sent'`,
        [conversationId],
      );
      expect(Number(row!.sent)).toBe(3000);
    });
    // Somebody holds a row in the middle of it.
    const hand = await scene.sqlConnection();
    await hand.query('BEGIN');
    await hand.query(
      'SELECT FROM messaging.message_outbox WHERE aggregate_id = $1 AND seq = 1200 FOR UPDATE',
      [conversationId],
    );
    const since = new Date(Date.now() - 600_000).toISOString();
    const job = await operator.send<Job>('POST', '/replays', { conversation_id: conversationId, since });
    expect(job.total).toBe(3000);
    await eventually(async () => {
      expect((await operator.get<Job>(`/jobs/${job.job_id}`)).done).toBe(1000);
    });
    const other = await operatorOf(pods[1]!);
    const asked = other.send<Job>('DELETE', `/jobs/${job.job_id}`);
    expect((await asked).done).toBe(1000);
    await hand.query('ROLLBACK');
    expect(await ended(job.job_id)).toMatchObject({ state: 'stopped', done: 1000 });
    other.close();
    const { jobs } = await operator.get<Jobs>('/jobs');
    expect(jobs[0]).toMatchObject({ job_id: job.job_id, state: 'stopped' });
    expect(await operator.http.request('GET', `/admin/v1/jobs/${randomUUID()}`)).toMatchObject({
      status: 404,
    });
  });
});

it('nothing of a message’s content was in any answer', async () => {
  for (const path of ['/pipeline', '/audit', '/jobs', '/consumers', '/connections', '/partitions']) {
    answers.push((await operator.http.request('GET', `/admin/v1${path}`)).text);
  }
  expect(answers.length).toBeGreaterThan(10);
  for (const answer of answers) expect(answer).not.toContain(MARKER);
});
