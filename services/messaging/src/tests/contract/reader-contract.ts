import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { bucketOf } from '../../adapters/memory/log-state.ts';
import type { ReplayRequest } from '../../ports.ts';
import {
  appendTexts,
  member,
  newConversation,
  PAYLOAD_LIMIT_BYTES,
  textOf,
  WHOLE,
  type LogUnderTest,
} from './log-under-test.ts';

export function readerContract(log: () => LogUnderTest): void {
  const sendAll = (conversationId: string) =>
    log().dispatch.dispatchBuckets([bucketOf(conversationId)], { limit: 1000 }, async (rows) =>
      rows.map(() => ({ kind: 'sent' })),
    );
  const replayed = async () => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, ['a', 'b', 'c', 'd', 'e']);
    await sendAll(conversationId);
    await log().operator.replay(conversationId, 2, 4);
    return conversationId;
  };
  const readReplays = async (conversationId: string, asked: Partial<ReplayRequest> = {}) => {
    const [page] = await log().reader.readReplays([{ conversationId, from: 1, to: 100, ...WHOLE, ...asked }]);
    return { texts: page!.messages.map((message) => textOf(message.payload)), complete: page!.complete };
  };

  test('replays of a window, pending or sent again', async () => {
    const id = await replayed();
    expect(await readReplays(id)).toEqual({ texts: ['b', 'c', 'd'], complete: true });
    await sendAll(id);
    expect(await readReplays(id)).toEqual({ texts: ['b', 'c', 'd'], complete: true });
    expect(await readReplays(id, { from: 3, to: 3 })).toEqual({ texts: ['c'], complete: true });
    expect(await readReplays(id, { from: 5 })).toEqual({ texts: [], complete: true });
    expect(await readReplays(id, { limit: 2 })).toEqual({ texts: ['b', 'c'], complete: false });
    expect(await readReplays(id, { maxBytes: 1 })).toEqual({ texts: ['b'], complete: false });
    expect(await readReplays(id, { from: 4, maxBytes: 1 })).toEqual({ texts: ['d'], complete: true });
  });

  test('a replay has the same message_id and seq, and counts', async () => {
    const id = await replayed();
    await sendAll(id);
    await log().operator.replay(id, 3, 3);
    const [page] = await log().reader.readReplays([{ conversationId: id, from: 1, to: 9, ...WHOLE }]);
    expect(page!.messages.map(({ seq, replayNo }) => [seq, replayNo])).toEqual([
      [2, 1],
      [3, 2],
      [4, 1],
    ]);
    const [rows] = await log().reader.readPages([{ conversationId: id, after: 2, ...WHOLE, limit: 1 }]);
    expect(rows!.rows).toMatchObject([{ message: { messageId: page!.messages[1]!.messageId, replayNo: 2 } }]);
  });

  test('a replay that is being retried, dead or too large is passed over', async () => {
    const id = await replayed();
    const payload = JSON.stringify({ ciphertext: 'x'.repeat(PAYLOAD_LIMIT_BYTES) });
    const seq = await log().operator.insertRow({ conversationId: id, payload });
    await log().dispatch.dispatchBuckets([bucketOf(id)], { limit: 1000 }, async (rows) =>
      rows.map(({ message }) =>
        message?.conversationId === id && message.seq === 2
          ? { kind: 'failed', error: 'refused', parkMs: 0 }
          : { kind: 'sent' },
      ),
    );
    await log().operator.replay(id, seq, seq);
    await log().operator.markDead(id, 3);
    expect(await readReplays(id)).toEqual({ texts: ['d'], complete: true });
  });

  test('a dead row that outlived its day is a replay once it is requeued', async () => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, ['a', 'b']);
    await log().operator.markDead(conversationId, 1);
    await log().operator.expireUpTo(conversationId, 2);
    await log().operator.requeueDead(conversationId);
    expect(await readReplays(conversationId)).toEqual({ texts: ['a'], complete: true });
  });

  test('several windows come in the order asked; an unknown conversation has none', async () => {
    const [a, b] = [await replayed(), await replayed()];
    const pages = await log().reader.readReplays([
      { conversationId: b, from: 4, to: 9, ...WHOLE },
      { conversationId: randomUUID(), from: 1, to: 9, ...WHOLE },
      { conversationId: a, from: 1, to: 2, ...WHOLE },
    ]);
    expect(pages.map((page) => page.messages.map(({ seq }) => seq))).toEqual([[4], [], [2]]);
    expect(await log().reader.readReplays([])).toEqual([]);
  });

  test('heads of what exists', async () => {
    const a = await newConversation(log());
    const b = await newConversation(log());
    await appendTexts(log(), a.conversationId, a.owner, ['x', 'y']);
    await log().operator.expireUpTo(a.conversationId, 1);
    const { epoch, heads } = await log().reader.readHeads([a.conversationId, randomUUID(), b.conversationId]);
    expect(epoch).toBe(await log().reader.readEpoch());
    expect(heads).toEqual(
      new Map([
        [a.conversationId, { head: 2, floor: 1, membersVersion: 1 }],
        [b.conversationId, { head: 0, floor: 0, membersVersion: 1 }],
      ]),
    );
    expect(await log().reader.readHeads([])).toEqual({ epoch, heads: new Map() });
  });

  test("users' versions and memberships, of one moment", async () => {
    const [rita, sam] = [`rita-${randomUUID()}`, `sam-${randomUUID()}`];
    const stays = await newConversation(log(), undefined, [rita]);
    const leaves = await newConversation(log(), undefined, [rita]);
    await appendTexts(log(), leaves.conversationId, leaves.owner, ['x', 'y']);
    await log().conversations.removeMember({ ...leaves, actor: member(rita), userId: rita });
    await appendTexts(log(), leaves.conversationId, leaves.owner, ['z']);
    await log().conversations.addMember({ ...leaves, actor: member(leaves.owner), userId: sam });

    const present = {
      conversationId: stays.conversationId,
      joinedSeq: 1,
      leftSeq: undefined,
      changedVersion: 1,
      present: true,
      head: 0,
      floor: 0,
      membersVersion: 1,
    };
    const left = {
      conversationId: leaves.conversationId,
      joinedSeq: 1,
      leftSeq: 2,
      changedVersion: 2,
      present: false,
      head: 3,
      floor: 0,
      membersVersion: 3,
    };
    const read = (users: readonly string[], withLeft: boolean) => log().reader.readUsers(users, { withLeft });
    const { users, epoch } = await read([sam, 'nobody', rita], false);
    expect(epoch).toBe(await log().reader.readEpoch());
    expect(users).toEqual([
      {
        version: 1,
        memberships: [{ ...left, joinedSeq: 4, leftSeq: undefined, changedVersion: 3, present: true }],
      },
      { version: 0, memberships: [] },
      { version: 3, memberships: [present] },
    ]);
    const withLeft = await read([rita], true);
    expect(withLeft.users[0]!.memberships).toHaveLength(2);
    expect(withLeft.users[0]!.memberships).toEqual(expect.arrayContaining([present, left]));
    expect(await read([], true)).toEqual({ epoch, users: [] });
  });

  test('members among those asked for, present and past', async () => {
    const { conversationId, owner } = await newConversation(log(), 'olga', ['rita', 'sam']);
    await appendTexts(log(), conversationId, owner, ['x']);
    await log().conversations.removeMember({ conversationId, actor: member(owner), userId: 'rita' });
    const other = await newConversation(log());
    const answers = await log().reader.readMembers([
      { conversationId, userIds: ['rita', 'stranger', owner] },
      { conversationId: randomUUID(), userIds: ['rita'] },
      { conversationId: other.conversationId, userIds: ['rita'] },
      { conversationId, userIds: [] },
    ]);
    const joined = { conversationId, joinedSeq: 1 };
    expect(answers).toEqual([
      {
        membersVersion: 2,
        head: 1,
        members: new Map([
          ['rita', { ...joined, leftSeq: 1, changedVersion: 2 }],
          [owner, { ...joined, leftSeq: undefined, changedVersion: 1 }],
        ]),
      },
      undefined,
      { membersVersion: 1, head: 0, members: new Map() },
      { membersVersion: 2, head: 1, members: new Map() },
    ]);
    expect(await log().reader.readMembers([])).toEqual([]);
  });

  test('versions of users, 0 where nothing is known', async () => {
    const { owner } = await newConversation(log());
    const versions = await log().reader.readUserVersions([owner, 'nobody']);
    expect(versions).toEqual(
      new Map([
        [owner, 1],
        ['nobody', 0],
      ]),
    );
    expect(await log().reader.readUserVersions([])).toEqual(new Map());
  });

  test('a raised epoch stands in everything that is read', async () => {
    const { conversationId, owner } = await newConversation(log());
    const before = await log().reader.readEpoch();
    await log().operator.raiseEpoch();
    expect(await log().reader.readEpoch()).toBe(before + 1);
    expect((await log().reader.readHeads([])).epoch).toBe(before + 1);
    expect((await log().reader.readUsers([owner], { withLeft: false })).epoch).toBe(before + 1);
    const [page] = await log().reader.readPages([{ conversationId, after: 0, ...WHOLE }]);
    expect(page!.epoch).toBe(before + 1);
  });
}
