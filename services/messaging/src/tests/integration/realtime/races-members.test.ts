import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { beforeMembersRead, Gate, lostOnBus, type OnBus, refusedRows } from '../../support/fault-points.ts';
import { expectStatus } from '../../support/http-client.ts';
import { ReadsWatch } from '../../support/reads-watch.ts';
import { type PodSettings, Scene } from '../../support/scene.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';

const VERSIONS_EVERY_MS = 5_000;
const userHints: OnBus = ({ channel }) => channel.startsWith('u:');

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.begin();
});
afterEach(() => scene.end());

describe('what the bus does not say about memberships', () => {
  /** Changes are made at `near`, whose hints are lost; readers are at `far`, whose clock the test moves. */
  async function twoPods(options: { near?: PodSettings; far?: PodSettings; lost?: OnBus } = {}) {
    const clock = new SkippingClock();
    const near = await scene.pod({
      overrides: { publisher: lostOnBus(options.lost ?? userHints), ...options.near?.overrides },
    });
    const far = await scene.pod({
      env: { DISPATCHER_ENABLED: 'false', CONSUMER_ENABLED: 'false' },
      overrides: { clock, ...options.far?.overrides },
    });
    return { near, far, clock };
  }

  test('"you were added" is lost: the comparison of versions finds it within 5 s', async () => {
    const reads = new ReadsWatch();
    const { near, far, clock } = await twoPods({ far: { overrides: { reader: reads.wrap } } });
    const id = await scene.conversation(near, ['alice']);
    const bob = await scene.connect(far, 'bob');
    await bob.until(() => bob.received.caughtUpCount === 1);
    const owner = await scene.http(near, 'alice');
    await scene.post(near, 'alice', id);
    expect(expectStatus(await owner.putMember(id, 'bob'), 200).joined_seq).toBe(2);
    await scene.post(near, 'alice', id);
    await bob.ping();
    expect(bob.received.members).toEqual([]);

    await reads.idle();
    clock.skip(VERSIONS_EVERY_MS);
    await bob.untilMessages(id, 1);
    expect(bob.received.members).toMatchObject([{ change: 'added', seq: 2, head: 1 }]);
    expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([2]);
    expect(bob.received.gaps).toEqual([]);
  });

  test('added, a message, removed and added again within one tick: one frame, and nothing from before', async () => {
    const reads = new ReadsWatch();
    const { near, far, clock } = await twoPods({ far: { overrides: { reader: reads.wrap } } });
    const id = await scene.conversation(near, ['alice']);
    const bob = await scene.connect(far, 'bob');
    await bob.until(() => bob.received.caughtUpCount === 1);
    const owner = await scene.http(near, 'alice');
    expectStatus(await owner.putMember(id, 'bob'), 200);
    await scene.post(near, 'alice', id);
    expectStatus(await owner.deleteMember(id, 'bob'), 204);
    expect(expectStatus(await owner.putMember(id, 'bob'), 200).joined_seq).toBe(2);

    await reads.idle();
    clock.skip(VERSIONS_EVERY_MS);
    await bob.until(() => bob.received.members.length > 0);
    await scene.post(near, 'alice', id);
    await bob.untilMessages(id, 1);
    expect(bob.received.members).toMatchObject([{ change: 'added', seq: 2, head: 1 }]);
    expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([2]);
    expect(bob.received.gaps).toEqual([]);
  });

  test('a member is removed and added again while a feed checks who may read', async () => {
    const [id, gate] = [randomUUID(), new Gate()];
    const { near, far } = await twoPods({ far: { overrides: { reader: beforeMembersRead(gate, id) } } });
    await scene.conversation(near, ['alice', 'bob'], id);
    const [alice, bob] = [await scene.connect(far, 'alice'), await scene.connect(far, 'bob')];
    await scene.post(near, 'alice', id);
    await Promise.all([alice.untilMessages(id, 1), bob.untilMessages(id, 1)]);
    const owner = await scene.http(near, 'alice');
    gate.close();
    expectStatus(await owner.deleteMember(id, 'bob'), 204);
    // Its members_version is newer than what bob was checked at: the feed asks, and is held.
    await scene.post(near, 'alice', id);
    await gate.reached();
    expect(expectStatus(await owner.putMember(id, 'bob'), 200).joined_seq).toBe(3);
    gate.open();

    await scene.post(near, 'alice', id);
    await Promise.all([alice.untilMessages(id, 3), bob.untilMessages(id, 2)]);
    expect(alice.received.seqs(id)).toEqual([1, 2, 3]);
    expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 3]);
    expect(bob.received.members).toMatchObject([{ change: 'added', seq: 3, head: 2 }]);
    expect(bob.received.gaps).toEqual([]);
  });

  test.each([
    ['the bus brings the message', userHints, 'sent'],
    ['the bus loses the message too', (message) => /^[cu]:/.test(message.channel), 'sent'],
    ['the message dies', userHints, 'dead'],
  ] satisfies [string, OnBus, string][])(
    'removed, a message right after it, the hint lost: %s',
    async (_, lost, fate) => {
      let isLost: OnBus = userHints;
      const poison = new Set<string>();
      const { near, far, clock } = await twoPods({
        lost: (message) => isLost(message),
        near: {
          overrides: {
            dispatchLog: refusedRows((row) => poison.has(row.message?.messageId ?? ''), {
              kind: 'dead',
              error: 'refused',
            }),
          },
        },
      });
      const id = await scene.conversation(near, ['alice', 'bob']);
      const [alice, bob] = [await scene.connect(far, 'alice'), await scene.connect(far, 'bob')];
      await scene.post(near, 'alice', id);
      await Promise.all([alice.untilMessages(id, 1), bob.untilMessages(id, 1)]);
      isLost = lost;
      const owner = await scene.http(near, 'alice');
      expectStatus(await owner.deleteMember(id, 'bob'), 204);
      const messageId = randomUUID();
      if (fate === 'dead') poison.add(messageId);
      expectStatus(await owner.postMessage(id, { messageId }), 201);
      await eventually(async () => {
        const rows = await scene.sql('SELECT status FROM messaging.message_outbox WHERE message_id = $1', [
          messageId,
        ]);
        expect(rows).toEqual([{ status: fate }]);
      });
      // Less than a comparison of versions: only the message itself can tell of the removal.
      clock.skip(2_000);
      await alice.until(() => alice.cursorOf(id) === 2);
      await bob.until(() => bob.received.members.length > 0);
      await scene.post(near, 'alice', id);
      clock.skip(2_000);
      await alice.until(() => alice.cursorOf(id) === 3);
      await bob.ping();
      expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1]);
      expect(bob.received.members).toMatchObject([{ change: 'removed', seq: 1, head: 1 }]);
      expect(bob.received.gaps).toEqual([]);
    },
  );
});

test('a removal goes first while a group waits for the counter: nothing is committed after it', async () => {
  const pod = await scene.pod();
  const id = await scene.conversation(pod, ['alice', 'bob']);
  const elsewhere = await scene.conversation(pod, ['bob']);
  const [owner, bob] = [await scene.http(pod, 'alice'), await scene.http(pod, 'bob')];
  const holder = await scene.sqlConnection();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM messaging.conversation WHERE conversation_id = $1 FOR UPDATE', [id]);
  const removal = owner.deleteMember(id, 'bob');
  await waitingForLocks(1);
  const posts = [bob.postMessage(id), owner.postMessage(id)];
  await waitingForLocks(2);
  // Nobody else waits with them.
  expectStatus(await bob.postMessage(elsewhere), 201);
  await holder.query('COMMIT');

  expectStatus(await removal, 204);
  const [refused, accepted] = await Promise.all(posts);
  expect(refused).toMatchObject({ status: 404, problem: { code: 'conversation_not_found' } });
  expect(expectStatus(accepted!, 201).seq).toBe(1);
  const rows = await scene.sql('SELECT payload FROM messaging.message_outbox WHERE aggregate_id = $1', [id]);
  expect(rows).toMatchObject([{ payload: { sender: 'alice' } }]);

  async function waitingForLocks(count: number): Promise<void> {
    await eventually(async () => {
      const waiting = await scene.sql(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      expect(waiting).toHaveLength(count);
    });
  }
});
