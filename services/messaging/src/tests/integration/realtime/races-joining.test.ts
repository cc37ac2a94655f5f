import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import {
  afterHeadRead,
  afterMembersRead,
  beforeHeadRead,
  channelIs,
  Gate,
  lostOnBus,
} from '../../support/fault-points.ts';
import { expectStatus } from '../../support/http-client.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene } from '../../support/scene.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.begin();
});
afterEach(() => scene.end());

describe('a message is committed while its first reader joins', () => {
  /** A pod whose feed of `id` waits at the gate; alice's message is committed meanwhile, and is past the bus. */
  async function commitAtGate(pod: Pod, gate: Gate, id: string) {
    await scene.conversation(pod, ['alice', 'bob'], id);
    const marker = await scene.conversation(pod, ['carol']);
    const carol = await scene.connect(pod, 'carol');
    gate.close();
    const bob = await scene.connect(pod, 'bob');
    await gate.reached();
    await scene.post(pod, 'alice', id);
    await eventually(async () => expect(await scene.onStream(id)).toHaveLength(1));
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
    // One connection carries all channels, in order: what came before this was heard, or never will be.
    await scene.post(pod, 'carol', marker);
    await carol.untilMessages(marker, 1);
    expect(bob.received.messagesOf(id)).toEqual([]);
    gate.open();
    return bob;
  }

  test('between the confirmation and the read of the head, and the bus lost it', async () => {
    const [id, gate] = [randomUUID(), new Gate()];
    const pod = await scene.pod({
      overrides: { reader: beforeHeadRead(gate, id), publisher: lostOnBus(channelIs(`c:${id}`)) },
    });
    const bob = await commitAtGate(pod, gate, id);
    await bob.untilMessages(id, 1);
    expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1]);
  });

  test('between the confirmation and the read of the head, and the bus brought it', async () => {
    const [id, gate] = [randomUUID(), new Gate()];
    const pod = await scene.pod({ overrides: { reader: beforeHeadRead(gate, id) } });
    const bob = await commitAtGate(pod, gate, id);
    await bob.untilMessages(id, 1);
    await scene.post(pod, 'alice', id);
    await bob.untilMessages(id, 2);
    expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  test('behind the head that was read, and the bus brought it before the answer', async () => {
    const [id, gate] = [randomUUID(), new Gate()];
    const pod = await scene.pod({ overrides: { reader: afterHeadRead(gate, id) } });
    const bob = await commitAtGate(pod, gate, id);
    await bob.untilMessages(id, 1);
    await scene.post(pod, 'alice', id);
    await bob.untilMessages(id, 2);
    expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2]);
  });
});

test('a member is removed while a subscribe of theirs is being answered: refused', async () => {
  const [id, gate] = [randomUUID(), new Gate()];
  const pod = await scene.pod({ overrides: { reader: afterMembersRead(gate, id) } });
  await scene.conversation(pod, ['alice', 'bob'], id);
  const elsewhere = await scene.conversation(pod, ['alice']);
  await scene.post(pod, 'alice', id);
  await scene.allSent();
  const bob = await scene.connect(pod, 'bob', { subscribe: 'none' });
  const device = await scene.connect(pod, 'bob');
  gate.close();
  const answered = bob.subscribe([{ conversation_id: id, after: 'start' }]);
  await gate.reached();
  const owner = await scene.http(pod, 'alice');
  expectStatus(await owner.deleteMember(id, 'bob'), 204);
  // News of it have come to this pod, and to every connection of bob.
  await device.until(() => device.received.members.length === 1);
  gate.open();
  expect(await answered).toMatchObject({
    conversations: [{ conversation_id: id, status: 'error', code: 'conversation_not_found' }],
  });
  await scene.replay(id);
  await scene.post(pod, 'alice', elsewhere);
  await eventually(async () => expect(await scene.onStream(id)).toHaveLength(2));
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  await bob.ping();
  expect(bob.received.messages).toEqual([]);
});
