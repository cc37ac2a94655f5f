import {
  connect,
  memoryStorage,
  type Client,
  type ReceivedMessage,
  type WebSocketConstructor,
} from '@sanctum/client';
import { KeyRing, newSecret, webCryptoCipher } from '@sanctum/client/webcrypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Pod } from '../../support/pod.ts';
import { Scene } from '../../support/scene.ts';
import { mintToken } from '../../support/tokens.ts';

let scene: Scene;
let pod: Pod;
const clients: Client[] = [];

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await scene.end();
});

async function open(userId: string, keys: KeyRing, storage = memoryStorage()): Promise<Client> {
  const client = await connect({
    url: pod.httpUrl,
    userId,
    token: () => mintToken({ sub: userId }),
    storage,
    cipher: webCryptoCipher({ keys, storage }),
    begin: 'start',
    // Node's own where there is one.
    WebSocket: (globalThis.WebSocket as WebSocketConstructor | undefined) ?? WebSocket,
  });
  clients.push(client);
  return client;
}

async function first(messages: AsyncIterable<ReceivedMessage>, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of messages) {
    texts.push(message.readable ? `${message.seq} ${message.sender} ${message.text}` : message.reason);
    if (texts.length === count) break;
  }
  return texts;
}

test('two people talk, and the server sees ciphertext only', async () => {
  const conversationId = await scene.conversation(pod, ['alice', 'bob']);
  const keys = new KeyRing();
  await keys.add(conversationId, '1', newSecret());
  const alice = await open('alice', keys);
  const bob = await open('bob', keys);
  const received = first(bob.messages(), 3);
  const sent = await Promise.all(
    ['Hello', 'Bob,', 'how are you?'].map((text) => alice.send(conversationId, text)),
  );
  expect(await Promise.all(sent.map(({ settled }) => settled))).toEqual([
    { kind: 'sent', seq: 1 },
    { kind: 'sent', seq: 2 },
    { kind: 'sent', seq: 3 },
  ]);
  expect(await received).toEqual(['1 alice Hello', '2 alice Bob,', '3 alice how are you?']);
  expect(alice.outbox).toEqual([]);
  const { messages, head } = await alice.history(conversationId, { before: 4, limit: 2 });
  expect(messages.map((message) => message.readable && message.text)).toEqual(['Bob,', 'how are you?']);
  expect(head).toBe(3);
  const rows = await scene.sql('SELECT payload::text AS text FROM messaging.message_outbox');
  expect(JSON.stringify(rows)).not.toContain('Hello');
});
