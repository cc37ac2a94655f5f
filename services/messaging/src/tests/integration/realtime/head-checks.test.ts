import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { channelIs, lostOnBus, ReadsWatch } from '../../support/fault-points.ts';
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

/** A user's conversations, without the service. */
async function conversationsOf(userId: string, count: number): Promise<void> {
  await scene.sql(
    `SELECT messaging.create_conversation(gen_random_uuid(), $1, ARRAY[$1], NULL) FROM generate_series(1, $2)`,
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
  const id = randomUUID();
  const [clock, reads] = [new SkippingClock(), new ReadsWatch(id)];
  const pod = await scene.pod({
    env: { WEBSOCKET_HEARTBEAT_INTERVAL_MS: String(10 * MINUTE) },
    overrides: { clock, reader: reads.wrap, publisher: lostOnBus(channelIs(`c:${id}`)) },
  });
  // So many are more likely to be active that this one's turn comes by the round robin alone.
  await conversationsOf('crowd', RECENT);
  const crowd = await scene.connect(pod, 'crowd', { validate: false });
  await crowd.until(() => crowd.received.caughtUpCount === 1);
  await scene.conversation(pod, ['alice', 'bob'], id);
  const bob = await scene.connect(pod, 'bob');
  for (let idle = 0; idle < 60 * MINUTE; idle += 10 * MINUTE) {
    clock.skip(10 * MINUTE);
    await reads.idle();
    await Promise.all([bob.ping(), crowd.ping()]);
  }

  await scene.post(pod, 'alice', id);
  await eventually(async () => expect(await scene.onStream(id)).toHaveLength(1));
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  expect(bob.received.messagesOf(id)).toEqual([]);
  const looks = reads.headReads;
  expect(await skippedUntil(bob, id, { clock, reads })).toBeLessThanOrEqual(ROUND_MS);
  expect(reads.headReads - looks).toBe(1);
  expect(bob.received.seqs(id)).toEqual([1]);
});

test('a conversation whose reader comes when a round has just begun does not wait for the end of the next', async () => {
  const id = randomUUID();
  const [clock, reads] = [new SkippingClock(), new ReadsWatch(id)];
  const pod = await scene.pod({
    overrides: { clock, reader: reads.wrap, publisher: lostOnBus(channelIs(`c:${id}`)) },
  });
  await conversationsOf('crowd', 100);
  const crowd = await scene.connect(pod, 'crowd');
  await crowd.until(() => crowd.received.caughtUpCount === 1);
  clock.skip(SECOND);
  await reads.idle();
  await scene.conversation(pod, ['alice', 'bob'], id);
  const bob = await scene.connect(pod, 'bob');
  await reads.idle();
  await scene.post(pod, 'alice', id);
  await eventually(async () => expect(await scene.onStream(id)).toHaveLength(1));
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  expect(await skippedUntil(bob, id, { clock, reads })).toBeLessThanOrEqual(ROUND_MS);
});
