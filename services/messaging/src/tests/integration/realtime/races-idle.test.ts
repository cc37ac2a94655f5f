import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lostOnBus } from '../../support/fault-points.ts';
import { ReadsWatch } from '../../support/reads-watch.ts';
import { eventually } from '../../support/eventually.ts';
import { Scene } from '../../support/scene.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import type { TestClient } from '../../support/test-client.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Every conversation's head is looked at within this. */
const ROUND_MS = 30 * SECOND;
/** As many as a pod looks at within 2 s, the most recently active ones. */
const RECENT = 10_000;
const STEP_MS = 100;

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.begin();
});
afterEach(() => scene.end());

/** A user's conversations, without the service: one by one they would take seconds. */
async function conversationsOf(userId: string, count: number): Promise<void> {
  await scene.sql(
    `WITH made AS (
       INSERT INTO messaging.conversation (conversation_id, owner, members_version, member_count)
       SELECT gen_random_uuid(), $1, 1, 1 FROM generate_series(1, $2) RETURNING conversation_id
     ), joined AS (
       INSERT INTO messaging.conversation_member (conversation_id, user_id, role, joined_seq, members_version)
       SELECT conversation_id, $1, 'owner', 1, 1 FROM made
     )
     INSERT INTO messaging.user_state (user_id, version, conversation_count) VALUES ($1, 1, $2)`,
    [userId, count],
  );
}

/** Moves the clock on, step by step, until the client has a message of the conversation; returns how far. */
async function skippedUntil(
  client: TestClient,
  id: string,
  { clock, reads }: { clock: SkippingClock; reads: ReadsWatch },
): Promise<number> {
  const from = clock.monotonic();
  while (client.received.messagesOf(id).length === 0) {
    clock.skip(STEP_MS);
    await reads.idle();
    await client.ping();
    if (clock.monotonic() - from > 2 * ROUND_MS) throw new Error('nothing came for a minute');
  }
  return clock.monotonic() - from;
}

test('a publish is lost, with no connection dropped, in a conversation idle for an hour', async () => {
  const [idle, young] = [randomUUID(), randomUUID()];
  const [clock, reads] = [new SkippingClock(), new ReadsWatch(idle)];
  const lost = new Set([`c:${idle}`, `c:${young}`]);
  const pod = await scene.pod({
    env: { WEBSOCKET_HEARTBEAT_INTERVAL_MS: String(10 * MINUTE) },
    overrides: { clock, reader: reads.wrap, publisher: lostOnBus(({ channel }) => lost.has(channel)) },
  });
  // So many are more likely to be active that these two are reached by the round robin alone.
  await conversationsOf('crowd', RECENT);
  const crowd = await scene.connect(pod, 'crowd', { validate: false });
  await crowd.until(() => crowd.received.caughtUpCount === 1);
  await scene.conversation(pod, ['alice', 'bob'], idle);
  const bob = await scene.connect(pod, 'bob');
  for (let passed = 0; passed < 60 * MINUTE; passed += 10 * MINUTE) {
    clock.skip(10 * MINUTE);
    await reads.idle();
    await Promise.all([bob.ping(), crowd.ping()]);
  }
  // Another comes when a round is under way already.
  await scene.conversation(pod, ['alice', 'carol'], young);
  const carol = await scene.connect(pod, 'carol');
  await reads.idle();

  const sent = [await scene.post(pod, 'alice', idle), await scene.post(pod, 'alice', young)];
  expect(sent).toEqual([[1], [1]]);
  await eventually(async () => expect(await scene.onStream(young)).toHaveLength(1));
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  // One look at its head is answered, and that must be it: whatever else comes meanwhile fails.
  reads.answersLeft = 1;
  const answered = reads.headReads;
  const idleMs = await skippedUntil(bob, idle, { clock, reads });
  expect(reads.headReads - answered).toBe(1);
  reads.answersLeft = Infinity;
  const youngMs = idleMs + (await skippedUntil(carol, young, { clock, reads }));
  expect(Math.max(idleMs, youngMs)).toBeLessThanOrEqual(ROUND_MS);
  expect(bob.received.seqs(idle)).toEqual([1]);
  expect(carol.received.seqs(young)).toEqual([1]);
});
