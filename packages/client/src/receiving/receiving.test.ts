import { describe, expect, test, vi } from 'vitest';
import type { Cipher, Opened } from '../cipher.ts';
import { memoryStorage } from '../storage/memory-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { A, B, device, gap, message, seated } from '../tests/device.ts';
import { settle } from '../tests/manual-clock.ts';
import { mirrorCipher } from '../tests/mirror-cipher.ts';
import { ok } from '../tests/scripted-http.ts';

const cursor = async (storage: Storage, id = A): Promise<unknown> =>
  ((await storage.entries(`sanctum/cursor/${id}`))[0]?.[1] as { cursor: number } | undefined)?.cursor;

test('what a listener writes and the cursor are stored together, or not at all', async () => {
  const { client, network, storage, clock } = await device({ listens: false });
  let failures = 2;
  const seen: number[] = [];
  client.on('error', () => undefined);
  client.on('message', async ({ seq }, tx) => {
    seen.push(seq);
    await tx.put(`app/${seq}`, 'kept');
    if (seq === 2 && failures-- > 0) throw new Error('the disk is full');
  });
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1), message(A, 2), message(A, 3));
  await settle();
  expect([await cursor(storage), (await storage.entries('app/')).length]).toEqual([1, 1]);
  await clock.advance(1000);
  expect(seen).toEqual([1, 2, 2, 2, 3]);
  expect([await cursor(storage), (await storage.entries('app/')).length]).toEqual([3, 3]);
  await client.close();
});

test('a message that was not taken comes again in the next run, with the same id', async () => {
  const first = await device({ listens: false });
  const messages = first.client.messages();
  await settle();
  first.network.last.welcome();
  first.network.last.serve(seated(A, 0), message(A, 1), message(A, 2), message(A, 3));
  expect((await messages.next()).value).toMatchObject({ seq: 1 });
  const held = (await messages.next()).value;
  expect(held).toMatchObject({ seq: 2 });
  await first.client.close();
  expect(await messages.next()).toEqual({ done: true, value: undefined });
  expect(await cursor(first.storage)).toBe(1);

  const second = await device({ storage: first.storage, listens: false });
  const again = second.client.messages();
  await settle();
  second.network.last.welcome();
  second.network.last.serve(message(A, 2));
  expect((await again.next()).value).toMatchObject({ seq: 2, messageId: held?.messageId });
  await second.client.close();
});

test('whoever leaves the loop gets the last message again, here and now', async () => {
  const { client, network, storage } = await device({ listens: false });
  const first = client.messages();
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1), message(A, 2));
  for await (const { seq } of first) if (seq === 2) break;
  expect(await cursor(storage)).toBe(1);
  const second = client.messages();
  expect((await second.next()).value).toMatchObject({ seq: 2 });
  void second.next();
  await settle();
  expect(await cursor(storage)).toBe(2);
  await client.close();
});

test('whoever leaves the loop and begins another in the same breath gets it again', async () => {
  const { client, network } = await device({ listens: false });
  const first = client.messages();
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1), message(A, 2));
  for await (const { seq } of first) if (seq === 2) break;
  const taken: number[] = [];
  for await (const { seq } of client.messages()) {
    taken.push(seq);
    if (seq === 2) network.last.serve(message(A, 3));
    else break;
  }
  expect(taken).toEqual([2, 3]);
  await client.close();
});

test('without anybody to take them messages wait', async () => {
  const { client, network, storage } = await device({ listens: false });
  const off = client.on('message', () => undefined);
  await settle();
  off();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1));
  await settle();
  expect(await cursor(storage)).toBe(0);
  const taken: number[] = [];
  client.on('message', ({ seq }) => void taken.push(seq));
  await settle();
  expect(taken).toEqual([1]);
  await client.close();
});

test('a message that a listener failed at waits for the next one, where that one has left', async () => {
  const { client, network, clock, storage } = await device({ listens: false });
  const off = client.on('message', () => Promise.reject(new Error('no room')));
  client.on('error', () => undefined);
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1));
  await settle();
  off();
  await clock.advance(10_000);
  expect(await cursor(storage)).toBe(0);
  const taken: number[] = [];
  client.on('message', ({ seq }) => void taken.push(seq));
  await clock.advance(10_000);
  expect([taken, await cursor(storage)]).toEqual([[1], 1]);
  await client.close();
});

test('what a listener throws is told to those who listen for it, else written to the console', async () => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const { client, network } = await device({ listens: false });
  const cause = new ReferenceError('a typing error');
  client.on('message', () => Promise.reject(cause));
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1));
  await settle();
  const error = expect.objectContaining({ code: 'listener_failed', cause }) as unknown;
  expect(written.mock.calls).toEqual([[error]]);
  written.mockRestore();
  await client.close();
});

test('a listener that leaves while the transaction begins has not taken the message', async () => {
  const storage = memoryStorage();
  let onBegin = (): void => undefined;
  const { client, network, clock } = await device({
    listens: false,
    storage: {
      ...storage,
      transaction: async (work) => {
        onBegin();
        await storage.transaction(work);
      },
    },
  });
  const off = client.on('message', () => undefined);
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0));
  await settle();
  onBegin = off;
  network.last.serve(message(A, 1));
  await clock.advance(1000);
  const taken: number[] = [];
  client.on('message', ({ seq }) => void taken.push(seq));
  await clock.advance(10_000);
  expect(taken).toEqual([1]);
  await client.close();
});

test('a message that cannot be read is handed on, and can be tried again', async () => {
  let hasKey = false;
  const cipher: Cipher = {
    ...mirrorCipher,
    decrypt: (sealed, context) =>
      hasKey ? mirrorCipher.decrypt(sealed, context) : Promise.reject(new Error('no key')),
  };
  const { client, network } = await device({ cipher, listens: false });
  const messages = client.messages();
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1), message(A, 2, { payload: { note: 'by an operator' } }));
  const unread = (await messages.next()).value;
  expect(unread).toMatchObject({ readable: false, reason: 'cannot_decrypt', sender: 'bob' });
  if (unread?.readable !== false) throw new Error('it was read');
  hasKey = true;
  expect(new TextDecoder().decode(await client.decrypt(unread))).toBe('text 1');
  expect((await messages.next()).value).toMatchObject({ seq: 2, readable: false, reason: 'no_ciphertext' });
  await client.close();
});

test('a message of the cipher’s own moves the cursor and is not handed on; its state is stored with it', async () => {
  const cipher: Cipher = {
    ...mirrorCipher,
    async decrypt(sealed, context) {
      const { plaintext } = await mirrorCipher.decrypt(sealed, context);
      const isCommit = context.messageId.endsWith('1');
      return {
        plaintext: isCommit ? undefined : plaintext,
        store: (tx) => tx.put('app/ratchet', context.messageId),
      };
    },
  };
  const { client, network, storage, taken } = await device({ cipher });
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1), message(A, 2));
  await settle();
  expect(taken).toEqual(['2']);
  expect(await cursor(storage)).toBe(2);
  expect(await storage.entries('app/')).toEqual([['app/ratchet', message(A, 2).message_id]]);
  await client.close();
});

test('gaps, memberships, resets and refusals are events with the transaction of the cursor', async () => {
  const { client, network, storage } = await device();
  const events: unknown[] = [];
  client.on('gap', ({ from, to, reason }) => void events.push(['gap', from, to, reason]));
  client.on('member', ({ change, head }, tx) => {
    events.push([change, head]);
    return tx.put('app/member', change);
  });
  client.on('reset', ({ conversationId }) => void events.push(['reset', conversationId]));
  client.on('refused', ({ code }) => void events.push(['refused', code]));
  network.last.welcome();
  const member = (change: string, head: number, members_version: number) =>
    ({
      type: 'member',
      conversation_id: A,
      change,
      user_id: 'alice',
      seq: head,
      head,
      members_version,
    }) as const;
  network.last.serve(
    member('added', 4, 2),
    gap(A, 5, 7, 'retention'),
    seated(B, 9),
    member('removed', 7, 3),
    { type: 'reset', conversation_id: B, epoch: 1, head: 3, reason: 'cursor_ahead' } as never,
    seated(B, 3),
    {
      type: 'subscribed',
      conversations: [{ conversation_id: A, status: 'error', code: 'conversation_not_found' }],
    },
  );
  await settle();
  expect(events).toEqual([
    ['added', 4],
    ['gap', 5, 7, 'retention'],
    ['removed', 7],
    ['reset', B],
    ['refused', 'conversation_not_found'],
  ]);
  expect([await cursor(storage, A), await cursor(storage, B)]).toEqual([undefined, 3]);
  await client.close();
});

test('a raised epoch voids all cursors with its ready, and the reset that says so is no second one', async () => {
  const first = await device();
  const resets: string[] = [];
  first.client.on('reset', ({ conversationId }) => void resets.push(conversationId));
  first.network.last.welcome();
  first.network.last.serve(seated(A, 5), seated(B, 6));
  first.network.last.drop();
  await first.clock.advance(1000);
  first.network.last.welcome({ epoch: 2 });
  await settle();
  expect(await first.storage.entries('sanctum/cursor/')).toEqual([]);
  expect(await first.storage.entries('sanctum/epoch')).toEqual([['sanctum/epoch', 2]]);
  first.network.last.serve({ type: 'reset', conversation_id: '*', epoch: 2, reason: 'epoch' });
  first.network.last.serve(seated(A, 2), message(A, 3));
  await settle();
  expect(await cursor(first.storage)).toBe(3);
  expect(resets).toEqual([A, B]);
  await first.client.close();
});

test('a cipher that a listener moved on stores what it is by then', async () => {
  let state = 0;
  const store: NonNullable<Opened['store']> = (tx) => tx.put('app/ratchet', state);
  const cipher: Cipher = {
    async encrypt(plaintext, context) {
      state += 1;
      return { ...(await mirrorCipher.encrypt(plaintext, context)), store };
    },
    async decrypt(sealed, context) {
      state += 1;
      return { ...(await mirrorCipher.decrypt(sealed, context)), store };
    },
  };
  const { client, network, storage } = await device({ cipher, listens: false });
  client.on('message', async () => void (await client.send(A, 'pong')));
  await settle();
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1));
  await settle();
  expect(await storage.entries('app/')).toEqual([['app/ratchet', 2]]);
  await client.close();
});

test('a transaction with a value that is no JSON leaves nothing behind', async () => {
  const storage = memoryStorage();
  const work = storage.transaction((tx) => {
    void tx.put('app/a', 1);
    void tx.put('app/b', 1n);
  });
  await expect(work).rejects.toThrow('BigInt');
  expect(await storage.entries('app/')).toEqual([]);
});

describe('dead letters', () => {
  const page = (epoch: number, seqs: number[], next_after: number): Response =>
    ok({ epoch, messages: seqs.map((seq) => message(A, seq)), gaps: [], head: 20, min: 1, next_after });

  test('are asked for after caught_up, over restarts, and hourly while any is open', async () => {
    const first = await device();
    first.network.last.welcome();
    first.network.last.serve(seated(A, 4), gap(A, 5, 7), message(A, 8));
    await settle();
    await first.client.close();
    const { client, network, http, clock, taken } = await device({
      storage: first.storage,
      clock: first.clock,
    });
    http.answer = () => page(1, [6], 7);
    network.last.welcome({ heartbeat_ms: 36_000_000 });
    network.last.serve({ type: 'caught_up' });
    await settle();
    expect(http.calls.map(({ path }) => path)).toEqual([`/v1/conversations/${A}/messages?after=4&limit=3`]);
    expect(taken).toEqual(['6 late']);
    http.answer = () => page(1, [5, 6, 7], 7);
    await clock.advance(3_600_000);
    expect(taken).toEqual(['6 late', '5 late', '7 late']);
    const asked = http.calls.length;
    await clock.advance(7_200_000);
    expect(http.calls.length).toBe(asked);
    await client.close();
  });

  test('of many ranges are all asked for', async () => {
    const { client, network, http, taken } = await device();
    network.last.welcome();
    network.last.serve(seated(A, 0));
    for (let seq = 1; seq <= 60; seq += 2) network.last.serve(gap(A, seq, seq), message(A, seq + 1));
    await settle();
    const page59 = { epoch: 1, messages: [message(A, 59)], gaps: [], head: 60, min: 1, next_after: 59 };
    http.answer = ({ path }) => {
      const after = Number(/after=(\d+)/.exec(path)![1]);
      return after === 58 ? ok(page59) : page(1, [], after + 1);
    };
    network.last.serve({ type: 'caught_up' });
    await settle();
    await settle();
    expect(http.calls).toHaveLength(30);
    expect(taken.at(-1)).toBe('59 late');
    await client.close();
  });

  test('of another epoch are left alone, and after 30 days nobody asks any more', async () => {
    const { client, network, http, clock, taken, storage } = await device();
    network.last.welcome({ heartbeat_ms: 36_000_000 });
    network.last.serve(seated(A, 4), gap(A, 5, 7), { type: 'caught_up' });
    http.answer = () => page(2, [6], 7);
    await settle();
    expect(taken).toEqual([]);
    clock.sleepMachine(31 * 24 * 3_600_000);
    const asked = http.calls.length;
    await clock.advance(3_600_000);
    expect(http.calls.length).toBe(asked);
    expect(await storage.entries('sanctum/cursor/')).toMatchObject([
      [`sanctum/cursor/${A}`, { openRanges: [] }],
    ]);
    await client.close();
  });
});

test('history is read in pages, and moves no cursor', async () => {
  const { client, http, storage } = await device({ listens: false });
  const gaps = [{ from: 9, to: 9, reason: 'dead_letter' }];
  http.answer = () => ok({ epoch: 1, messages: [message(A, 8)], gaps, head: 12, min: 3, next_after: 9 });
  const page = await client.history(A, { before: 10, limit: 2 });
  expect(http.calls[0]?.path).toBe(`/v1/conversations/${A}/messages?after=7&limit=2`);
  expect(page).toMatchObject({ messages: [{ seq: 8, text: 'text 8' }], head: 12, min: 3, nextAfter: 9 });
  expect(page.gaps).toEqual([{ conversationId: A, ...gaps[0] }]);
  await expect(client.history(A, { before: 1 })).rejects.toThrow(RangeError);
  expect(await storage.entries('sanctum/cursor/')).toEqual([]);
  await client.close();
});

test('a storage that fails is tried again, and told of', async () => {
  const storage = memoryStorage();
  const transaction = vi.spyOn(storage, 'transaction');
  const { client, network, clock, taken } = await device({ storage });
  const errors: string[] = [];
  client.on('error', ({ code }) => void errors.push(code));
  transaction.mockRejectedValueOnce(new Error('quota'));
  network.last.welcome();
  network.last.serve(seated(A, 0), message(A, 1));
  await clock.advance(200);
  expect(errors).toEqual(['storage_failed']);
  expect([taken, await cursor(storage)]).toEqual([['1'], 1]);
  await client.close();
});
