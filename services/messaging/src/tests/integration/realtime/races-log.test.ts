import { CursorBook } from '@sanctum/client';
import { CLOSE } from '@sanctum/protocol';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { afterHeadRead, epochNotSeen, Gate, refusedRows } from '../../support/fault-points.ts';
import { expectStatus } from '../../support/http-client.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene } from '../../support/scene.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import type { TestClient } from '../../support/test-client.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.begin();
});
afterEach(() => scene.end());

function seqsOf(client: TestClient, id: string): number[] {
  return client.received.messagesOf(id).map(({ seq }) => seq);
}

describe('midnight: seq and partition order differ', () => {
  const COUNT = 6;

  /** A reader at each place, on the socket and by history, gets the rest in order. */
  async function expectAllFromEverywhere(pod: Pod, id: string): Promise<void> {
    const reader = await scene.http(pod, 'bob');
    for (let after = 0; after < COUNT; after++) {
      const rest = Array.from({ length: COUNT - after }, (_, index) => after + 1 + index);
      const page = expectStatus(await reader.history(id, { after }), 200);
      expect(page.messages.map(({ seq }) => seq)).toEqual(rest);
      expect(page.gaps).toEqual([]);
      const device = await scene.connect(pod, 'bob', {
        cursors: { epoch: 1, conversations: [{ conversationId: id, cursor: after }] },
      });
      await device.until(() => device.received.caughtUpCount === 1);
      expect(device.received.seqs(id)).toEqual(rest);
      expect(device.received.gaps).toEqual([]);
      device.terminate();
    }
  }

  test.each([
    ['lower seq in the later partition', (seq: number) => seq % 2 === 1],
    ['lower seq in the earlier partition', (seq: number) => seq % 2 === 0],
  ])('%s', async (_, isLater) => {
    const pod = await scene.pod();
    const id = await scene.conversation(pod, ['alice', 'bob']);
    const bob = await scene.connect(pod, 'bob');
    for (let seq = 1; seq <= COUNT; seq++) {
      await scene.sql(
        `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload, occurred_at)
         VALUES (gen_random_uuid(), gen_random_uuid(), 'MessageCreated', $1, '{}',
           date_trunc('day', now(), 'UTC') + interval '1 day' + $2 * interval '1 millisecond')`,
        [id, isLater(seq) ? 1 : -1],
      );
    }
    const places = await scene.sql(
      'SELECT DISTINCT tableoid FROM messaging.message_outbox WHERE aggregate_id = $1',
      [id],
    );
    expect(places).toHaveLength(2);
    await bob.untilMessages(id, COUNT);
    expect(seqsOf(bob, id)).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await scene.onStream(id)).map(({ seq }) => Number(seq))).toEqual([1, 2, 3, 4, 5, 6]);
    await expectAllFromEverywhere(pod, id);
  });

  test('some of them in a partition of two days ago', async () => {
    const pod = await scene.pod();
    const id = await scene.conversation(pod, ['alice', 'bob']);
    await scene.post(pod, 'alice', id, COUNT);
    await eventually(async () => {
      const rows = await scene.sql('SELECT status FROM messaging.message_outbox WHERE aggregate_id = $1', [
        id,
      ]);
      expect(rows).toEqual(Array.from({ length: COUNT }, () => ({ status: 'sent' })));
    });
    // As time would have done it: no trigger has a say.
    await scene.sql('SET session_replication_role = replica');
    await scene.sql(
      `UPDATE messaging.message_outbox SET occurred_at = occurred_at - interval '2 days'
       WHERE aggregate_id = $1 AND seq % 2 = 0`,
      [id],
    );
    await scene.sql('RESET session_replication_role');
    await expectAllFromEverywhere(pod, id);
  });
});

describe('a row dies, and an operator requeues it while its reader is away', () => {
  test('who had its gap asks for it, who stayed gets it late, who was behind gets it in order', async () => {
    const poison = new Set<string>();
    const pod = await scene.pod({
      overrides: {
        dispatchLog: refusedRows((row) => poison.has(row.message?.messageId ?? ''), {
          kind: 'dead',
          error: 'refused',
        }),
      },
    });
    const id = await scene.conversation(pod, ['alice', 'bob', 'carol', 'dave']);
    const [alice, bob, carol, dave] = [
      await scene.http(pod, 'alice'),
      await scene.connect(pod, 'bob'),
      await scene.connect(pod, 'carol'),
      await scene.connect(pod, 'dave'),
    ];
    await scene.post(pod, 'alice', id);
    await dave.untilMessages(id, 1);
    const behind = dave.cursors();
    await dave.close();
    const messageId = randomUUID();
    poison.add(messageId);
    expect(expectStatus(await alice.postMessage(id, { messageId }), 201).seq).toBe(2);
    await eventually(async () => expect(await dead()).toHaveLength(1));
    await scene.post(pod, 'alice', id);
    await Promise.all([bob.untilMessages(id, 2), carol.untilMessages(id, 2)]);
    for (const client of [bob, carol]) {
      expect(seqsOf(client, id)).toEqual([1, 3]);
      expect(client.received.gaps).toMatchObject([{ from: 2, to: 2, reason: 'dead_letter' }]);
    }
    const away = bob.cursors();
    await bob.close();

    poison.clear();
    await scene.sql(
      `UPDATE messaging.message_outbox SET status='pending', attempts=0, last_error=NULL WHERE status='dead'`,
    );
    await carol.untilMessages(id, 3);
    expect(carol.received.messages.at(-1)).toMatchObject({
      seq: 2,
      messageId,
      replay: 1,
      effect: 'deliver_late',
    });

    const backAgain = await scene.connect(pod, 'bob', { cursors: away });
    await backAgain.until(() => backAgain.received.caughtUpCount === 1);
    expect(seqsOf(backAgain, id)).toEqual([]);
    const book = new CursorBook(backAgain.cursors());
    expect(book.openRanges()).toEqual([{ conversationId: id, ranges: [[2, 2]] }]);
    const page = expectStatus(await (await scene.http(pod, 'bob')).history(id, { after: 1, limit: 1 }), 200);
    expect(book.apply(page.messages[0]!)).toMatchObject([{ kind: 'deliver_late', frame: { seq: 2 } }]);
    expect(book.openRanges()).toEqual([]);

    const fromBehind = await scene.connect(pod, 'dave', { cursors: behind });
    await fromBehind.until(() => fromBehind.received.caughtUpCount === 1);
    expect(fromBehind.received.seqs(id)).toEqual([2, 3]);
    expect(fromBehind.received.gaps).toEqual([]);
  });

  function dead() {
    return scene.sql(`SELECT FROM messaging.message_outbox WHERE status = 'dead'`);
  }
});

describe('the epoch is raised while entries of the old one are on the stream', () => {
  test.each([
    ['a consumer that knows drops them', undefined],
    ['a consumer that does not know yet broadcasts them: the hub drops them', epochNotSeen(1)],
  ])('%s', async (_, reader) => {
    const clock = new SkippingClock();
    const pod = await scene.pod({ env: { CONSUMER_ENABLED: 'false' }, overrides: { clock } });
    const id = await scene.conversation(pod, ['alice', 'bob']);
    const before = await scene.connect(pod, 'bob');
    await scene.post(pod, 'alice', id, 2);
    clock.skip(2_000);
    await before.untilMessages(id, 2);
    await eventually(async () => expect(await scene.onStream(id)).toHaveLength(2));

    await restoreToBefore(id, 2);
    clock.skip(5_000);
    expect((await before.untilClosed()).code).toBe(CLOSE.service_restart);

    const bob = await scene.connect(pod, 'bob', { cursors: before.cursors(), withoutCursor: 'start' });
    await bob.until(() => bob.received.caughtUpCount === 1);
    expect(bob.received.ready?.epoch).toBe(2);
    expect(bob.received.resets).toMatchObject([{ conversation_id: '*', epoch: 2, reason: 'epoch' }]);
    expect(bob.received.seqs(id)).toEqual([1]);

    const consumer = await scene.pod({
      env: { DISPATCHER_ENABLED: 'false' },
      overrides: reader ? { reader } : {},
    });
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
    const marker = await scene.conversation(pod, ['bob']);
    await scene.post(pod, 'bob', marker);
    await scene.post(consumer, 'alice', id);
    clock.skip(2_000);
    await bob.untilMessages(id, 2);
    await bob.untilMessages(marker, 1);
    const rows = await scene.sql(
      'SELECT message_id FROM messaging.message_outbox WHERE aggregate_id = $1 ORDER BY seq',
      [id],
    );
    expect(bob.received.messagesOf(id).map(({ messageId }) => messageId)).toEqual(
      rows.map(({ message_id }) => message_id as string),
    );
    expect(seqsOf(bob, id)).toEqual([1, 2]);
  });

  test('a comparison of heads that was asked for before sends nobody away twice', async () => {
    const [id, gate, clock] = [randomUUID(), new Gate(), new SkippingClock()];
    const pod = await scene.pod({
      env: { CONSUMER_ENABLED: 'false' },
      overrides: { clock, reader: afterHeadRead(gate, id) },
    });
    await scene.conversation(pod, ['alice', 'bob'], id);
    const before = await scene.connect(pod, 'bob');
    await scene.post(pod, 'alice', id, 2);
    clock.skip(2_000);
    await before.untilMessages(id, 2);
    gate.close();
    await restoreToBefore(id, 2);
    clock.skip(2_000);
    await gate.reached();
    // The log's epoch is also read by itself.
    clock.skip(5_000);
    expect((await before.untilClosed()).code).toBe(CLOSE.service_restart);
    const bob = await scene.connect(pod, 'bob', { cursors: before.cursors(), withoutCursor: 'start' });
    gate.open();
    await bob.until(() => bob.received.caughtUpCount === 1);
    await scene.post(pod, 'alice', id);
    clock.skip(2_000);
    await bob.untilMessages(id, 2);
    expect(seqsOf(bob, id)).toEqual([1, 2]);
  });
});

/** A restore from before this message, behind the pods' backs; the operator raises the epoch. */
async function restoreToBefore(id: string, seq: number): Promise<void> {
  await scene.sql('DELETE FROM messaging.message_outbox WHERE aggregate_id = $1 AND seq >= $2', [id, seq]);
  await scene.sql('UPDATE messaging.conversation SET last_seq = $2 - 1 WHERE conversation_id = $1', [
    id,
    seq,
  ]);
  await scene.sql('UPDATE messaging.log_epoch SET epoch = epoch + 1');
}
