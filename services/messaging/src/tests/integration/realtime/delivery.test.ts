import { afterAll, beforeAll, expect, it } from 'vitest';
import { RealtimeWorld } from './support/realtime-world.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** The pod looks at its most recently active conversations this often. */
const RECENT_CHECK_MS = 2000;

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

const upTo = (head: number) => Array.from({ length: head }, (_, n) => n + 1);

it('a message reaches every member as it was sent, the sender too', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  const clients = [await world.connectCaughtUp(ann), await world.connectCaughtUp(ben)];
  const ciphertext = Buffer.from('never looked at').toString('base64');
  const encryption = { scheme: 'mls.v1', key_id: 'epoch:7' };
  const posted = await world.post(conversationId, ann, { ciphertext, encryption });
  for (const client of clients) {
    await client.untilMessages(conversationId, 1);
    expect(client.received.frames.at(-1)).toEqual({
      type: 'message',
      conversation_id: conversationId,
      seq: 1,
      message_id: posted.message_id,
      event_type: 'MessageCreated',
      occurred_at: expect.stringMatching(TIME) as string,
      members_version: 1,
      payload: { ciphertext, encryption, sender: ann },
    });
  }
});

it('messages of many senders come in one order to everyone', async () => {
  const users = Array.from({ length: 4 }, () => world.user());
  const conversationId = await world.conversation(...users);
  const clients = await Promise.all(users.map((userId) => world.connectCaughtUp(userId)));
  await Promise.all(Array.from({ length: 80 }, (_, n) => world.post(conversationId, users[n % 4]!)));
  for (const client of clients) {
    await client.untilMessages(conversationId, 80);
    expect(client.received.seqs(conversationId)).toEqual(upTo(80));
  }
  const ids = clients.map((client) =>
    client.received.messagesOf(conversationId).map(({ messageId }) => messageId),
  );
  for (const one of ids) expect(one).toEqual(ids[0]);
});

it('three devices of one user get everything, each once', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  const devices = await Promise.all(
    ['phone', 'desk', 'tablet'].map((deviceId) => world.connectCaughtUp(ben, { deviceId })),
  );
  expect(new Set(devices.map((device) => device.received.ready?.connection_id)).size).toBe(3);
  await world.postMany(conversationId, ann, 3);
  for (const device of devices) {
    await device.untilMessages(conversationId, 3);
    expect(device.received.messagesOf(conversationId).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  }
});

it('who is not a member gets nothing', async () => {
  const [ann, eve] = [world.user('ann'), world.user('eve')];
  const conversationId = await world.conversation(ann);
  const own = await world.conversation(eve);
  const client = await world.connectCaughtUp(eve);
  await world.post(conversationId, ann);
  await world.post(own, eve);
  await client.untilMessages(own, 1);
  expect(client.received.messagesOf(conversationId)).toEqual([]);
});

it('a payload of the full size arrives whole', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  const client = await world.connectCaughtUp(userId);
  const ciphertext = Buffer.alloc(65_536, 7).toString('base64');
  await world.post(conversationId, userId, { ciphertext });
  await client.untilMessages(conversationId, 1);
  expect(client.received.messages[0]?.payload).toEqual({ ciphertext, sender: userId });
});

it('messages posted while a client connects come once, wherever they fall', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  const posting = world.postMany(conversationId, userId, 30);
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => world.connect(userId, { withoutCursor: 'start' })),
  );
  await posting;
  for (const client of clients) {
    await client.untilMessages(conversationId, 30);
    expect(client.received.messagesOf(conversationId).map(({ seq }) => seq)).toEqual(upTo(30));
  }
});

it('an operator’s row reaches the members whatever its payload holds', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  const client = await world.connectCaughtUp(userId);
  const payloads = [{ test: 'data' }, [1, 2, 3], 'text', 12.5, null, { deep: { 'ключ "\\ \n': '\u2028' } }];
  for (const payload of payloads) await world.insertRows(conversationId, 1, payload);
  await client.untilMessages(conversationId, payloads.length);
  expect(client.received.messages.map(({ payload }) => payload)).toEqual(payloads);
});

it('a message that the bus loses is found by the check of heads', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  const client = await world.connectCaughtUp(userId);
  await world.post(conversationId, userId);
  await client.untilMessages(conversationId, 1);
  const lost = new Promise<void>((resolve) => {
    world.pod.loses = ({ channel }) => {
      if (channel !== `c:${conversationId}`) return false;
      resolve();
      return true;
    };
  });
  await world.post(conversationId, userId);
  await lost;
  world.pod.loses = () => false;
  await world.leapUntil(client, () => client.received.seqs(conversationId).length === 2, RECENT_CHECK_MS);
  expect(client.received.seqs(conversationId)).toEqual([1, 2]);
});

it('a message that the bus loses is read as soon as the next one comes', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  const client = await world.connectCaughtUp(userId);
  let lost = 0;
  world.pod.loses = ({ channel }) => channel === `c:${conversationId}` && ++lost <= 2;
  await world.postMany(conversationId, userId, 4);
  await client.untilMessages(conversationId, 4);
  expect(client.received.seqs(conversationId)).toEqual([1, 2, 3, 4]);
  world.pod.loses = () => false;
});
