import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene, STREAM } from '../../support/scene.ts';

const OFF = { DISPATCHER_ENABLED: 'false', CONSUMER_ENABLED: 'false' };

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.begin();
});
afterEach(() => scene.end());

/** Posts and waits for the member, who has nothing but the slow path; returns the conversation. */
async function deliverSlowly(pod: Pod): Promise<string> {
  const id = await scene.conversation(pod, ['alice', 'bob']);
  const bob = await scene.connect(pod, 'bob');
  await scene.post(pod, 'alice', id, 3);
  await bob.untilMessages(id, 3);
  expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  return id;
}

async function statusOf(id: string): Promise<string[]> {
  const rows = await scene.sql(
    'SELECT status FROM messaging.message_outbox WHERE aggregate_id = $1 ORDER BY seq',
    [id],
  );
  return rows.map(({ status }) => status as string);
}

test('the dispatcher off: rows stay pending, the stream does not grow, members get every message', async () => {
  const pod = await scene.pod({ env: { DISPATCHER_ENABLED: 'false' } });
  const id = await deliverSlowly(pod);
  expect(await statusOf(id)).toEqual(['pending', 'pending', 'pending']);
  expect(await scene.redis.xlen(STREAM)).toBe(0);
});

test('the consumer off: the stream grows, nothing is read, members get every message', async () => {
  const pod = await scene.pod({ env: { CONSUMER_ENABLED: 'false' } });
  const id = await deliverSlowly(pod);
  expect(await statusOf(id)).toEqual(['sent', 'sent', 'sent']);
  expect(await scene.redis.xlen(STREAM)).toBe(3);
  // Nobody made the group: nothing has ever been read.
  expect(await scene.redis.xinfo('GROUPS', STREAM)).toEqual([]);
});

test('both off: members get every message; a replay waits for the fast path', async () => {
  const pod = await scene.pod({ env: OFF });
  const id = await deliverSlowly(pod);
  const bob = await scene.connect(pod, 'bob');
  const fast = await scene.pod();
  await eventually(async () => expect(await statusOf(id)).toEqual(['sent', 'sent', 'sent']));
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  await bob.ping();
  // What they had by the slow path does not come again by the fast one.
  expect(bob.received.messages).toEqual([]);
  await fast.stop();
  await scene.replay(id);
  expect(await statusOf(id)).toEqual(['pending', 'pending', 'pending']);
  await bob.ping();
  expect(bob.received.messages).toEqual([]);

  await scene.pod();
  await bob.until(() => bob.received.messages.length === 3);
  expect(bob.received.messages.map(({ seq, replay }) => [seq, replay])).toEqual([
    [1, 1],
    [2, 1],
    [3, 1],
  ]);
});
