import { randomUUID } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { bucketOf } from '../../../bucket.ts';
import { eventually } from '../../support/eventually.ts';
import { valueOf } from '../../support/metric-values.ts';
import { freshDatabase, freshRedis } from '../../support/servers.ts';
import { DispatchScene, endDispatchScenes } from './dispatch-scene.ts';

afterEach(endDispatchScenes);

const open = async () => DispatchScene.open(await freshDatabase(), await freshRedis());

it('puts an operator’s rows on the stream as they were committed', async () => {
  const scene = await open();
  const conversation = randomUUID();
  await scene.insert(conversation, 3, { ciphertext: '✓ dGVzdA==', n: 1 });
  scene.dispatcher().start();
  await eventually(async () => expect(await scene.countOf('sent')).toBe(3));
  const entries = await scene.streamed();
  expect(entries.map(({ reason }) => reason)).toEqual([undefined, undefined, undefined]);
  const messages = entries.map(({ content }) => content?.message);
  expect(messages.map((message) => message?.seq)).toEqual([1, 2, 3]);
  expect(messages[0]).toMatchObject({
    conversationId: conversation,
    eventType: 'MessageCreated',
    replayNo: 0,
  });
  expect(JSON.parse(messages[0]?.payload.reveal() ?? '')).toEqual({ ciphertext: '✓ dGVzdA==', n: 1 });
  const { rows } = await scene.db.query(
    'SELECT event_id, message_id, dispatched_at FROM messaging.message_outbox WHERE seq = 1',
  );
  expect(rows[0]).toMatchObject({ event_id: messages[0]?.eventId, message_id: messages[0]?.messageId });
  expect(await valueOf(scene.metrics.dispatchPublished)).toBe(3);
});

it('knows a conversation’s bucket as the database does', async () => {
  const scene = await open();
  const ids = Array.from({ length: 500 }, () => randomUUID());
  const { rows } = await scene.db.query<{ bucket: number }>(
    'SELECT messaging.bucket_of(id)::int AS bucket FROM unnest($1::uuid[]) WITH ORDINALITY u (id, n) ORDER BY n',
    [ids],
  );
  expect(rows.map(({ bucket }) => bucket)).toEqual(ids.map(bucketOf));
});

it('sends what an operator has set to pending again, as a replay', async () => {
  const scene = await open();
  const conversation = randomUUID();
  await scene.insert(conversation, 2);
  scene.dispatcher().start();
  await eventually(async () => expect(await scene.countOf('sent')).toBe(2));
  await scene.db.query(
    `UPDATE messaging.message_outbox SET status='pending', attempts=0, dispatched_at=NULL WHERE aggregate_id = $1`,
    [conversation],
  );
  await eventually(async () => expect(await scene.countOf('sent')).toBe(2));
  const messages = (await scene.streamed()).map(({ content }) => content?.message);
  expect(messages.map((message) => [message?.seq, message?.replayNo])).toEqual([
    [1, 0],
    [2, 0],
    [1, 1],
    [2, 1],
  ]);
  expect(messages[2]?.eventId).toBe(messages[0]?.eventId);
});

it('buries a row that fits no frame, and goes on behind it', async () => {
  const scene = await open();
  const conversation = randomUUID();
  await scene.insert(conversation, 1);
  await scene.insert(conversation, 1, { ciphertext: 'A'.repeat(100_000) });
  await scene.insert(conversation, 1);
  scene.dispatcher().start();
  await eventually(async () => {
    const states = (await scene.outbox()).map(({ status, attempts, error }) => [status, attempts, error]);
    expect(states).toEqual([
      ['sent', 0, null],
      ['dead', 0, 'too_large'],
      ['sent', 0, null],
    ]);
  });
  expect(await scene.streamed()).toHaveLength(2);
});

it('keeps every conversation’s order with several dispatchers, and sends each row once', async () => {
  const scene = await open();
  const conversations = Array.from({ length: 20 }, () => randomUUID());
  const dispatchers = [1, 2, 3].map(() => scene.dispatcher({ batchSize: 7, partitions: 2 }));
  for (const dispatcher of dispatchers) dispatcher.start();
  for (let round = 0; round < 5; round++) {
    for (const conversation of conversations) await scene.insert(conversation, 10);
  }
  await eventually(async () => expect(await scene.countOf('sent')).toBe(1_000));
  const entries = [...(await scene.streamed(0)), ...(await scene.streamed(1))];
  expect(entries).toHaveLength(1_000);
  for (const conversation of conversations) {
    const seqs = entries
      .filter((entry) => entry.conversationId === conversation)
      .map(({ content }) => content?.message.seq);
    expect(seqs).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  }
});

it('leaves everything pending while paused or stopped', async () => {
  const scene = await open();
  const dispatcher = scene.dispatcher();
  dispatcher.start();
  dispatcher.pause();
  await scene.insert(randomUUID(), 5);
  await eventually(async () =>
    expect(await valueOf(scene.metrics.dispatchTicks, { result: 'paused' })).toBeGreaterThan(3),
  );
  expect(await scene.countOf('pending')).toBe(5);
  dispatcher.resume();
  await eventually(async () => expect(await scene.countOf('sent')).toBe(5));
  await dispatcher.stop();
  await scene.insert(randomUUID(), 1);
  expect([await scene.countOf('pending'), await scene.redis.xlen('sanctum:messages')]).toEqual([1, 5]);
  expect(scene.log.named('dispatcher_stopped')).toHaveLength(1);
});
