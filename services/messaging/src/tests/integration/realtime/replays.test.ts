import { CursorBook } from '@sanctum/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { expectStatus } from '../../support/http-client.ts';
import type { TestClient } from '../../support/test-client.ts';
import { RealtimeWorld } from './support/realtime-world.ts';

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

/** The runbook's manual replay, as typed there. */
async function replay(conversationId: string): Promise<void> {
  await untilSent(conversationId);
  await world.sql.query(
    `UPDATE messaging.message_outbox
     SET status = 'pending', attempts = 0, dispatched_at = NULL
     WHERE aggregate_id = '${conversationId}'
       AND occurred_at > NOW() - INTERVAL '1 hour'`,
  );
}

async function requeueDead(): Promise<void> {
  await world.sql.query(
    `UPDATE messaging.message_outbox SET status = 'pending', attempts = 0, last_error = NULL WHERE status = 'dead'`,
  );
}

function untilSent(conversationId: string): Promise<void> {
  return eventually(async () => {
    const { rows } = await world.sql.query(
      `SELECT FROM messaging.message_outbox WHERE aggregate_id = $1 AND status = 'pending'`,
      [conversationId],
    );
    expect(rows).toHaveLength(0);
  });
}

const replaysOf = (client: TestClient) => client.received.messages.filter((message) => message.replay > 0);
const seqsOf = (client: TestClient) => replaysOf(client).map(({ seq }) => seq);
const untilReplays = (client: TestClient, count: number) =>
  client.until(() => replaysOf(client).length >= count);

/** Waits until a replay has gone all its way: whoever had to get it has it. */
async function untilQuiet(client: TestClient): Promise<void> {
  await world.pod.clock.leap(100);
  await world.settled(client);
  await world.pod.clock.leap(100);
  await world.settled(client);
}

async function scene(count: number, options: { credit?: number; autoAck?: boolean } = {}) {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  const witness = await world.connectCaughtUp(ann);
  const client = await world.connectCaughtUp(ben, options);
  const posted = await world.postMany(conversationId, ann, count);
  await witness.untilMessages(conversationId, count);
  return { ann, ben, conversationId, witness, client, posted };
}

it('the runbook’s replay reaches each connected client once more, with the same ids', async () => {
  const { ben, conversationId, witness, client, posted } = await scene(3);
  await client.untilMessages(conversationId, 3);
  const second = await world.connectCaughtUp(ben);
  for (const times of [1, 2]) {
    await replay(conversationId);
    for (const one of [witness, client, second]) {
      await untilReplays(one, 3 * times);
      await untilQuiet(one);
      const frames = replaysOf(one).slice(3 * (times - 1));
      expect(frames.map(({ seq, messageId, replay: n }) => [seq, messageId, n])).toEqual(
        posted.map(({ seq, message_id: messageId }) => [seq, messageId, times]),
      );
      expect(frames.every(({ effect }) => effect === 'drop')).toBe(true);
    }
  }
  expect(client.received.seqs(conversationId)).toEqual([1, 2, 3]);
});

it('a replay changes nothing about what comes after it', async () => {
  const { ann, conversationId, client } = await scene(2);
  await replay(conversationId);
  await world.postMany(conversationId, ann, 2);
  await client.untilMessages(conversationId, 4);
  await untilReplays(client, 2);
  expect(client.received.seqs(conversationId)).toEqual([1, 2, 3, 4]);
});

it('with credit used up it comes after the ack', async () => {
  const { conversationId, witness, client } = await scene(3, { credit: 3, autoAck: false });
  await client.untilMessages(conversationId, 3);
  await replay(conversationId);
  await untilReplays(witness, 3);
  await untilQuiet(client);
  expect(replaysOf(client)).toEqual([]);
  client.ack();
  await untilReplays(client, 3);
  expect(seqsOf(client)).toEqual([1, 2, 3]);
});

it('with less credit than it needs it comes in pieces, each message once', async () => {
  const { conversationId, client } = await scene(7, { credit: 2, autoAck: false });
  for (let n = 1; n <= 7; n++) {
    await client.untilMessages(conversationId, n);
    client.ack();
  }
  await replay(conversationId);
  for (let n = 2; n <= 8; n += 2) {
    await untilReplays(client, Math.min(n, 7));
    client.ack();
  }
  await untilQuiet(client);
  expect(seqsOf(client)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

it('a reader that is behind gets what it has not had as new, and the rest once more', async () => {
  const { conversationId, witness, client } = await scene(4, { credit: 2, autoAck: false });
  await client.untilMessages(conversationId, 2);
  await replay(conversationId);
  await untilReplays(witness, 4);
  await untilQuiet(client);
  client.ack();
  await client.untilMessages(conversationId, 4);
  client.ack();
  await client.until(() => client.received.messages.length === 6);
  await untilQuiet(client);
  expect(client.received.seqs(conversationId)).toEqual([1, 2, 3, 4]);
  const repeated = client.received.messages.filter(({ effect }) => effect === 'drop');
  expect(repeated.map(({ seq, replay: n }) => [seq, n])).toEqual([
    [1, 1],
    [2, 1],
  ]);
});

it('a member that joined later gets what is theirs of it', async () => {
  const { ann, conversationId, witness } = await scene(2);
  const carl = world.user('carl');
  const late = await world.connectCaughtUp(carl);
  await world.addMember(conversationId, ann, carl);
  await world.post(conversationId, ann);
  await late.untilMessages(conversationId, 1);
  await replay(conversationId);
  await untilReplays(witness, 3);
  await untilReplays(late, 1);
  await untilQuiet(late);
  expect(seqsOf(late)).toEqual([3]);
});

it('one that was removed gets nothing of it', async () => {
  const { ann, ben, conversationId, witness, client } = await scene(2);
  await world.removeMember(conversationId, ann, ben);
  await client.until(() => client.received.members.length === 1);
  await replay(conversationId);
  await untilReplays(witness, 2);
  await untilQuiet(client);
  expect(replaysOf(client)).toEqual([]);
});

it('a dead row between replayed ones is passed over', async () => {
  const { conversationId, client } = await scene(3);
  await client.untilMessages(conversationId, 3);
  await untilSent(conversationId);
  await world.sql.query(
    `UPDATE messaging.message_outbox SET status = 'dead' WHERE aggregate_id = $1 AND seq = 2`,
    [conversationId],
  );
  await world.sql.query(
    `UPDATE messaging.message_outbox SET status = 'pending', attempts = 0, dispatched_at = NULL
     WHERE aggregate_id = $1 AND status = 'sent'`,
    [conversationId],
  );
  await untilReplays(client, 2);
  await untilQuiet(client);
  expect(seqsOf(client)).toEqual([1, 3]);
});

describe('a dead letter that is requeued', () => {
  it('is handed on late by whoever is connected', async () => {
    const { ann, conversationId, client } = await scene(1);
    const messageId = await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.post(conversationId, ann);
    await client.untilMessages(conversationId, 2);
    expect(client.received.gaps).toMatchObject([{ from: 2, to: 2, reason: 'dead_letter' }]);
    await requeueDead();
    await client.untilMessages(conversationId, 3);
    const late = client.received.handedOn(conversationId).at(-1);
    expect(late).toMatchObject({ seq: 2, messageId, replay: 1, effect: 'deliver_late' });
    expect(client.cursors().conversations[0]?.openRanges).toEqual([]);
  });

  it('while its reader is away is found by the client’s own question', async () => {
    const { ann, ben, conversationId, client } = await scene(1);
    const messageId = await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.post(conversationId, ann);
    await client.untilMessages(conversationId, 2);
    await client.close();
    await requeueDead();
    await untilSent(conversationId);

    const back = await world.connectCaughtUp(ben, { cursors: client.cursors() });
    await untilQuiet(back);
    expect(back.received.messages).toEqual([]);
    const book = new CursorBook(back.cursors());
    const ranges = book.openRanges();
    expect(ranges).toEqual([{ conversationId, ranges: [[2, 2]] }]);
    const [[from, to]] = ranges[0]!.ranges as [[number, number]];
    const http = await world.http(ben);
    const page = expectStatus(
      await http.history(conversationId, { after: from - 1, limit: to - from + 1 }),
      200,
    );
    expect(page.messages).toMatchObject([{ type: 'message', seq: 2, message_id: messageId, replay: 1 }]);
    const effects = page.messages.flatMap((message) => book.apply(message as never));
    expect(effects).toMatchObject([{ kind: 'deliver_late', frame: { seq: 2 } }]);
    expect(book.openRanges()).toEqual([]);
  });

  it('before its reader has come to it is delivered in its place', async () => {
    const { ann, ben, conversationId } = await scene(1);
    await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.post(conversationId, ann);
    await requeueDead();
    await untilSent(conversationId);
    const cursors = { epoch: 1, conversations: [{ conversationId, cursor: 1 }] };
    const client = await world.connectCaughtUp(ben, { cursors });
    expect(client.received.gaps).toEqual([]);
    expect(client.received.messages.map(({ seq, replay: n, effect }) => [seq, n, effect])).toEqual([
      [2, 1, 'deliver'],
      [3, 0, 'deliver'],
    ]);
  });
});
