import {
  createCommit,
  createGroup,
  defaultCapabilities,
  defaultLifetime,
  emptyPskIndex,
  generateKeyPackage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  type ClientState,
} from 'ts-mls';
import { encodeBase64 } from '@sanctum/protocol';
import { expect, test, vi } from 'vitest';
import type { MessageContext, Sealed } from '../cipher.ts';
import { memoryStorage } from '../storage/memory-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { uuidV7 } from '../uuid-v7.ts';
import { A, device, message, seated, type Device } from './device.ts';
import { settle } from './manual-clock.ts';
import { mlsCipher, storeGroup } from './mls-cipher.ts';
import { ok } from './scripted-http.ts';

const suite = await getCiphersuiteImpl(
  getCiphersuiteFromName('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'),
);
const utf8 = new TextEncoder();

/** A group of two: alice made it, bob was added. */
async function group(): Promise<[alice: ClientState, bob: ClientState]> {
  const member = (name: string) =>
    generateKeyPackage(
      { credentialType: 'basic', identity: utf8.encode(name) },
      defaultCapabilities(),
      defaultLifetime,
      [],
      suite,
    );
  const [alice, bob] = [await member('alice'), await member('bob')];
  const created = await createGroup(utf8.encode(A), alice.publicPackage, alice.privatePackage, [], suite);
  const added = await createCommit(
    { state: created, cipherSuite: suite },
    { extraProposals: [{ proposalType: 'add', add: { keyPackage: bob.publicPackage } }] },
  );
  if (added.welcome === undefined) throw new Error('there is no welcome');
  const { newState, welcome } = added;
  const { publicPackage, privatePackage } = bob;
  const joined = await joinGroup(
    welcome,
    publicPackage,
    privatePackage,
    emptyPskIndex,
    suite,
    newState.ratchetTree,
  );
  return [newState, joined];
}

async function open(userId: string, storage: Storage): Promise<Device> {
  return device({ userId, storage, listens: false, cipher: mlsCipher({ suite, storage, userId }) });
}

async function storageWith(state: ClientState): Promise<Storage> {
  const storage = memoryStorage();
  await storage.transaction((tx) => storeGroup(tx, A, state));
  return storage;
}
interface SealedMessage {
  readonly sealed: Sealed;
  readonly context: MessageContext;
}

/** A member's cipher, without a client around it. */
function memberOf(userId: string, storage: Storage) {
  const cipher = mlsCipher({ suite, storage, userId });
  return {
    cipher,
    storage,
    async seal(text: string): Promise<SealedMessage> {
      const context = { conversationId: A, sender: userId, messageId: uuidV7(Date.now()) };
      return { context, sealed: await cipher.encrypt(utf8.encode(text), context) };
    },
    async open({ sealed, context }: SealedMessage): Promise<string> {
      return new TextDecoder().decode((await cipher.decrypt(sealed, context)).plaintext);
    },
  };
}

async function pair() {
  const [alice, bob] = await group();
  return [memberOf('alice', await storageWith(alice)), memberOf('bob', await storageWith(bob))] as const;
}

test('MLS fits behind the interface: its state is stored with the messages, whenever a process ends', async () => {
  const [aliceState, bobState] = await group();
  const [aliceStorage, bobStorage] = [await storageWith(aliceState), await storageWith(bobState)];
  const posted: Record<string, unknown>[] = [];

  // Each message from a run of its own: the ratchet comes out of the storage.
  for (const text of ['one', 'two', 'three']) {
    const { client, http } = await open('alice', aliceStorage);
    http.answer = ({ body }) => ok({ seq: posted.push(body) }, 201);
    expect(await (await client.send(A, text)).settled).toMatchObject({ kind: 'sent' });
    await client.close();
  }
  const frames = posted.map(({ message_id, ciphertext, encryption }, index) =>
    message(A, index + 1, {
      message_id: message_id as string,
      payload: { ciphertext, encryption, sender: 'alice' },
    }),
  );

  // Bob's process ends between hand-over and store of the second one: the next one opens it again.
  const first = await open('bob', bobStorage);
  const given: string[] = [];
  first.client.on('message', (got) => {
    given.push(got.readable ? got.text : String(got.error));
    return got.seq === 2 ? new Promise(() => undefined) : undefined;
  });
  await settle();
  first.network.last.welcome({ user_id: 'bob' });
  first.network.last.serve(seated(A, 0), ...frames);
  await vi.waitFor(() => expect(given).toEqual(['one', 'two']));
  const second = await open('bob', bobStorage);
  second.client.on('message', (got) => void given.push(got.readable ? got.text : String(got.error)));
  await settle();
  second.network.last.welcome({ user_id: 'bob' });
  expect(second.network.last.sentOf('hello')).toMatchObject([{ cursors: [[A, 1]] }]);
  second.network.last.serve(...frames.slice(1));
  await vi.waitFor(() => expect(given).toEqual(['one', 'two', 'two', 'three']));
  await second.client.close();

  // Alice reads her own messages, too.
  const alice = await open('alice', aliceStorage);
  const own: string[] = [];
  alice.client.on('message', (got) => void own.push(got.readable ? got.text : String(got.error)));
  await settle();
  alice.network.last.welcome();
  alice.network.last.serve(seated(A, 0), ...frames);
  await vi.waitFor(() => expect(own).toEqual(['one', 'two', 'three']));
  await alice.client.close();
});

test('a message of the group that was moved to another place does not open', async () => {
  const [aliceState, bobState] = await group();
  const [aliceStorage, bobStorage] = [await storageWith(aliceState), await storageWith(bobState)];
  const context = { conversationId: A, sender: 'alice', messageId: message(A, 1).message_id };
  const sealed = await mlsCipher({ suite, storage: aliceStorage, userId: 'alice' }).encrypt(
    utf8.encode('x'),
    context,
  );
  expect(encodeBase64(sealed.ciphertext)).not.toContain(encodeBase64(utf8.encode('x')));
  const bob = mlsCipher({ suite, storage: bobStorage, userId: 'bob' });
  await expect(bob.decrypt(sealed, { ...context, messageId: A })).rejects.toThrow('elsewhere');
  expect((await bob.decrypt(sealed, context)).plaintext).toEqual(utf8.encode('x'));
});

test('calls of a conversation that overlap use no generation twice, and lose no update', async () => {
  const [alice, bob] = await pair();
  const numbers = Array.from({ length: 12 }, (_, index) => index);
  const fromBob = await Promise.all(numbers.map((n) => bob.seal(`bob ${n}`)));
  const both = await Promise.all(
    numbers.map((n) => Promise.all([alice.seal(`alice ${n}`), alice.open(fromBob[n]!)])),
  );
  expect(both.map(([, text]) => text)).toEqual(numbers.map((n) => `bob ${n}`));
  // One after another: a message whose generation another one has used cannot be opened behind it.
  const opened: string[] = [];
  for (const [sealed] of both) opened.push(await bob.open(sealed));
  expect(opened).toEqual(numbers.map((n) => `alice ${n}`));
});

test('what is stored is the state of that moment, with what was opened and not taken', async () => {
  const [alice, bob] = await pair();
  const taken = await bob.seal('taken');
  const untaken = await bob.seal('untaken');
  const first = await alice.cipher.decrypt(taken.sealed, taken.context);
  await alice.open(untaken);
  const sent = await alice.seal('sent');
  await alice.storage.transaction((tx) => sent.sealed.store?.(tx));
  // The older call stores last.
  await alice.storage.transaction((tx) => first.store?.(tx));

  const restarted = memberOf('alice', alice.storage);
  expect(await restarted.open(untaken)).toBe('untaken');
  await expect(restarted.open(taken)).rejects.toThrow();
  const next = await restarted.seal('next');
  expect([await bob.open(sent), await bob.open(next)]).toEqual(['sent', 'next']);

  // Once it is taken, its text is not kept.
  const again = await restarted.cipher.decrypt(untaken.sealed, untaken.context);
  await alice.storage.transaction((tx) => again.store?.(tx));
  expect(await alice.storage.entries('mls/opened/')).toEqual([]);
});
