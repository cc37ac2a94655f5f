import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { afterReplaysRead, Gate, lostOnBus } from '../../support/fault-points.ts';
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

function replaysOf(client: TestClient, id: string) {
  return client.received.messagesOf(id).filter(({ replay }) => replay > 0);
}

/** Everything of the conversation is on the stream, so many times, and past the bus. */
async function pastTheBus(pod: Pod, id: string, entries: number): Promise<void> {
  await eventually(async () => expect(await scene.onStream(id)).toHaveLength(entries));
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  const marker = await scene.conversation(pod, ['watcher']);
  const watcher = await scene.connect(pod, 'watcher');
  await scene.post(pod, 'watcher', marker);
  await watcher.untilMessages(marker, 1);
}

test('a replay while the credit is used up: nothing until the acks come, then each message once', async () => {
  const pod = await scene.pod();
  const id = await scene.conversation(pod, ['alice', 'bob', 'carol']);
  const bob = await scene.connect(pod, 'bob', { credit: 2, autoAck: false });
  const carol = await scene.connect(pod, 'carol');
  await scene.post(pod, 'alice', id, 5);
  await carol.untilMessages(id, 5);
  await bob.untilMessages(id, 2);
  bob.ack();
  await bob.untilMessages(id, 4);
  bob.ack();
  await scene.post(pod, 'alice', id);
  await bob.untilMessages(id, 6);
  await scene.allSent();
  // Two frames unacknowledged, which is all the credit there is.
  await scene.replay(id);
  await pastTheBus(pod, id, 12);
  await carol.until(() => replaysOf(carol, id).length === 6);
  await scene.post(pod, 'alice', id);
  await carol.untilMessages(id, 7);
  await bob.ping();
  expect(bob.received.messagesOf(id)).toHaveLength(6);

  while (bob.delivered < 13) {
    const before = bob.delivered;
    bob.ack();
    await bob.until(() => bob.delivered >= Math.min(before + 2, 13));
    expect(bob.delivered - before).toBeLessThanOrEqual(2);
  }
  bob.ack();
  await bob.ping();
  expect(bob.received.seqs(id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  for (const client of [bob, carol]) {
    expect(replaysOf(client, id).map(({ seq, replay }) => [seq, replay])).toEqual(
      [1, 2, 3, 4, 5, 6].map((seq) => [seq, 1]),
    );
  }
});

test('a member leaves and comes back while a replay is read: nothing from before the return follows', async () => {
  const [id, gate, clock] = [randomUUID(), new Gate(), new SkippingClock()];
  const near = await scene.pod({
    overrides: { publisher: lostOnBus(({ channel }) => channel.startsWith('u:')) },
  });
  const far = await scene.pod({
    env: { CONSUMER_ENABLED: 'false' },
    overrides: { clock, reader: afterReplaysRead(gate, id) },
  });
  await scene.conversation(near, ['alice', 'bob'], id);
  const bob = await scene.connect(far, 'bob');
  await scene.post(near, 'alice', id, 3);
  await bob.untilMessages(id, 3);
  await scene.allSent();
  gate.close();
  await scene.replay(id);
  await gate.reached();
  const owner = await scene.http(near, 'alice');
  expectStatus(await owner.deleteMember(id, 'bob'), 204);
  expect(expectStatus(await owner.putMember(id, 'bob'), 200).joined_seq).toBe(4);
  clock.skip(5_000);
  await bob.until(() => bob.received.members.length > 0);
  gate.open();
  await scene.post(near, 'alice', id);
  await bob.untilMessages(id, 4);
  await bob.ping();
  expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

test('a removal that nobody heard of: a replay shows nothing to who was removed, and tells them', async () => {
  const id = randomUUID();
  const near = await scene.pod({
    overrides: { publisher: lostOnBus(({ channel }) => channel.startsWith('u:')) },
  });
  const far = await scene.pod({ env: { CONSUMER_ENABLED: 'false' } });
  await scene.conversation(near, ['alice', 'bob'], id);
  const bob = await scene.connect(far, 'bob');
  await scene.post(near, 'alice', id, 3);
  await bob.untilMessages(id, 3);
  await scene.allSent();
  expectStatus(await (await scene.http(near, 'alice')).deleteMember(id, 'bob'), 204);
  await scene.replay(id);
  await bob.until(() => bob.received.members.length > 0);
  expect(bob.received.members).toMatchObject([{ change: 'removed', seq: 3 }]);
  await bob.ping();
  expect(replaysOf(bob, id)).toEqual([]);
});

test('two replays of one message reach a client twice, each with its number', async () => {
  const pod = await scene.pod();
  const id = await scene.conversation(pod, ['alice', 'bob']);
  const bob = await scene.connect(pod, 'bob');
  await scene.post(pod, 'alice', id);
  await bob.untilMessages(id, 1);
  for (const replay of [1, 2]) {
    await scene.allSent();
    await scene.replay(id);
    await bob.until(() => replaysOf(bob, id).length === replay);
  }
  const frames = bob.received.messagesOf(id);
  expect(frames.map(({ seq, replay }) => [seq, replay])).toEqual([
    [1, 0],
    [1, 1],
    [1, 2],
  ]);
  expect(new Set(frames.map(({ messageId }) => messageId)).size).toBe(1);
});
