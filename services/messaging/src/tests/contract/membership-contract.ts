import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Actor } from '../../ports.ts';
import {
  appendTexts,
  manager,
  member,
  newConversation,
  operating,
  type LogUnderTest,
} from './log-under-test.ts';

export function membershipContract(log: () => LogUnderTest): void {
  const add = (conversationId: string, actor: Actor, userId: string) =>
    log().conversations.addMember({ conversationId, actor, userId });
  const remove = (conversationId: string, actor: Actor, userId: string) =>
    log().conversations.removeMember({ conversationId, actor, userId });

  test('a member joins behind the head, once', async () => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, ['a', 'b']);
    const added = await add(conversationId, member(owner), 'rita');
    expect(added).toEqual({ kind: 'added', joinedSeq: 3, membersVersion: 2 });
    await appendTexts(log(), conversationId, 'rita', ['c']);
    expect(await add(conversationId, member(owner), 'rita')).toEqual({
      kind: 'present',
      joinedSeq: 3,
      membersVersion: 2,
    });
  });

  test('who leaves and comes back sees what follows, with the same role', async () => {
    const { conversationId, owner } = await newConversation(log(), 'olga', ['rita']);
    await appendTexts(log(), conversationId, owner, ['a', 'b']);
    expect(await remove(conversationId, member('rita'), 'rita')).toEqual({ kind: 'removed' });
    await appendTexts(log(), conversationId, owner, ['c']);
    expect(await add(conversationId, member(owner), 'rita')).toEqual({
      kind: 'added',
      joinedSeq: 4,
      membersVersion: 3,
    });

    expect(await remove(conversationId, member(owner), owner)).toEqual({ kind: 'removed' });
    expect(await add(conversationId, manager, owner)).toMatchObject({ kind: 'added' });
    expect(await add(conversationId, member(owner), 'sam')).toMatchObject({ kind: 'added' });
  });

  test('the owner and a managing service change members; others may only remove themselves', async () => {
    const { conversationId } = await newConversation(log(), 'olga', ['rita', 'sam']);
    expect(await add(conversationId, member('rita'), 'tom')).toEqual({ kind: 'not_owner' });
    expect(await remove(conversationId, member('rita'), 'sam')).toEqual({ kind: 'not_owner' });
    expect(await add(conversationId, member('stranger'), 'tom')).toEqual({ kind: 'conversation_not_found' });
    expect(await remove(conversationId, member('stranger'), 'sam')).toEqual({
      kind: 'conversation_not_found',
    });
    expect(await remove(conversationId, member('stranger'), 'stranger')).toEqual({
      kind: 'conversation_not_found',
    });
    expect(await add(conversationId, operating, 'tom')).toEqual({ kind: 'conversation_not_found' });
    expect(await add(conversationId, manager, 'tom')).toMatchObject({ kind: 'added' });
    expect(await remove(conversationId, manager, 'tom')).toEqual({ kind: 'removed' });
    expect(await remove(conversationId, member('olga'), 'sam')).toEqual({ kind: 'removed' });
  });

  test('who is no longer in it knows nothing of it, but may remove themselves twice', async () => {
    const { conversationId } = await newConversation(log(), 'olga', ['rita', 'sam']);
    await remove(conversationId, member('rita'), 'rita');
    expect(await remove(conversationId, member('rita'), 'rita')).toEqual({ kind: 'absent' });
    expect(await remove(conversationId, member('rita'), 'sam')).toEqual({ kind: 'conversation_not_found' });
    expect(await add(conversationId, member('rita'), 'rita')).toEqual({ kind: 'conversation_not_found' });
    expect(await remove(conversationId, member('olga'), 'rita')).toEqual({ kind: 'absent' });
    expect(await remove(conversationId, member('olga'), 'never-there')).toEqual({ kind: 'absent' });
  });

  test('an unknown conversation is not found, by nobody', async () => {
    for (const actor of [member('olga'), manager, operating]) {
      expect(await add(randomUUID(), actor, 'rita')).toEqual({ kind: 'conversation_not_found' });
      expect(await remove(randomUUID(), actor, 'rita')).toEqual({ kind: 'conversation_not_found' });
    }
  });

  test('a full conversation and a full user take no more', async () => {
    const { conversationId, owner } = await newConversation(log());
    await log().operator.fillUser('busy-bee');
    expect(await add(conversationId, member(owner), 'busy-bee')).toEqual({ kind: 'too_many_conversations' });
    expect(await log().conversations.getConversation({ conversationId, actor: member(owner) })).toMatchObject(
      {
        membersVersion: 1,
        memberCount: 1,
      },
    );
    await log().operator.fillConversation(conversationId);
    expect(await add(conversationId, member(owner), 'rita')).toEqual({ kind: 'conversation_full' });
  });

  test("each change raises the conversation's version and the user's", async () => {
    const [rita, sam] = [`rita-${randomUUID()}`, `sam-${randomUUID()}`];
    const { conversationId, owner } = await newConversation(log(), undefined, [rita]);
    const versions = async () => {
      const found = await log().reader.readUserVersions([rita, sam]);
      return [found.get(rita), found.get(sam)];
    };
    const conversationVersion = async () =>
      (await log().conversations.getConversation({ conversationId, actor: member(owner) }))!.membersVersion;
    expect([await versions(), await conversationVersion()]).toEqual([[1, 0], 1]);
    await add(conversationId, member(owner), sam);
    expect([await versions(), await conversationVersion()]).toEqual([[1, 1], 2]);
    await add(conversationId, member(owner), sam);
    await remove(conversationId, member(owner), 'nobody');
    expect([await versions(), await conversationVersion()]).toEqual([[1, 1], 2]);
    await remove(conversationId, member(owner), rita);
    expect([await versions(), await conversationVersion()]).toEqual([[2, 1], 3]);
  });

  test('members come and go everywhere at once without a deadlock', async () => {
    const users = Array.from({ length: 6 }, (_, index) => `crowd-${index}-${randomUUID()}`);
    const conversations = await Promise.all(
      users.map((user) => newConversation(log(), user, users.toReversed())),
    );
    const changes = conversations.flatMap(({ conversationId, owner }) =>
      users
        .filter((user) => user !== owner)
        .flatMap((user) => [
          remove(conversationId, member(owner), user),
          add(conversationId, member(owner), user),
          log().conversations.createConversation({
            conversationId: randomUUID(),
            owner: user,
            members: users,
          }),
        ]),
    );
    const kinds = new Set((await Promise.all(changes)).map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(expect.arrayContaining(['created', 'removed']));
    const { users: snapshots } = await log().reader.readUsers(users, { withLeft: true });
    for (const snapshot of snapshots) expect(snapshot.memberships).toHaveLength(6 + 30);
  });
}
