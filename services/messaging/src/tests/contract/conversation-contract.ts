import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  appendTexts,
  manager,
  member,
  newConversation,
  operating,
  type LogUnderTest,
} from './log-under-test.ts';

export function conversationContract(log: () => LogUnderTest): void {
  const create = (conversationId: string, owner: string, members: readonly string[]) =>
    log().conversations.createConversation({ conversationId, owner, members });

  test('the same creation again is the same, in whatever order its members come', async () => {
    const id = randomUUID();
    expect(await create(id, 'olga', ['rita', 'sam'])).toEqual({
      kind: 'created',
      head: 0,
      membersVersion: 1,
    });
    await appendTexts(log(), id, 'rita', ['hello']);
    expect(await create(id, 'olga', ['sam', 'olga', 'rita', 'sam'])).toEqual({
      kind: 'same',
      head: 1,
      membersVersion: 1,
    });
  });

  test('an owner who has left is told nothing by the same creation, until they are back', async () => {
    const id = randomUUID();
    await create(id, 'olga', ['rita']);
    await log().conversations.removeMember({ conversationId: id, actor: member('olga'), userId: 'olga' });
    await appendTexts(log(), id, 'rita', ['hello']);
    expect(await create(id, 'olga', ['rita'])).toEqual({ kind: 'conversation_exists' });
    await log().conversations.addMember({ conversationId: id, actor: manager, userId: 'olga' });
    expect(await create(id, 'olga', ['rita'])).toMatchObject({ kind: 'same', head: 1 });
  });

  test('another creation of a known id is refused', async () => {
    const id = randomUUID();
    await create(id, 'olga', ['rita']);
    for (const [owner, members] of [
      ['olga', []],
      ['olga', ['rita', 'sam']],
      ['rita', ['olga']],
      ['olga', ['r', 'ita']],
    ] as const) {
      expect(await create(id, owner, members)).toEqual({ kind: 'conversation_exists' });
    }
    const typed = randomUUID();
    await log().operator.insertRow({ conversationId: typed, payload: '{}' });
    expect(await create(typed, 'olga', [])).toEqual({ kind: 'conversation_exists' });
  });

  test('created twice at the same moment it is made once', async () => {
    const id = randomUUID();
    const kinds = (await Promise.all(Array.from({ length: 6 }, () => create(id, 'olga', ['rita'])))).map(
      ({ kind }) => kind,
    );
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'same')).toHaveLength(5);
    expect(
      (await log().reader.readMembers([{ conversationId: id, userIds: ['olga', 'rita'] }]))[0]!.members.size,
    ).toBe(2);
  });

  test('nobody is in more conversations than one can be in, and then nothing is made', async () => {
    const full = `full-${randomUUID()}`;
    await log().operator.fillUser(full);
    const id = randomUUID();
    const bystander = `bystander-${randomUUID()}`;
    expect(await create(id, bystander, [full])).toEqual({ kind: 'too_many_conversations' });
    expect((await log().reader.readUserVersions([bystander])).get(bystander)).toBe(0);
    expect(await create(id, bystander, [])).toMatchObject({ kind: 'created' });
  });

  test("lists a user's present conversations by id, page after page", async () => {
    const user = `lister-${randomUUID()}`;
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () => (await newConversation(log(), user)).conversationId),
    );
    ids.sort();
    await log().conversations.removeMember({ conversationId: ids[2]!, actor: member(user), userId: user });
    const list = async (after: string | undefined, limit: number) =>
      (await log().conversations.listConversations({ userId: user, after, limit })).map(
        (view) => view.conversationId,
      );
    expect(await list(undefined, 10)).toEqual([ids[0], ids[1], ids[3], ids[4]]);
    expect(await list(undefined, 2)).toEqual([ids[0], ids[1]]);
    expect(await list(ids[1], 2)).toEqual([ids[3], ids[4]]);
    expect(await list(ids[4], 2)).toEqual([]);
    expect(
      await log().conversations.listConversations({ userId: 'nobody', after: undefined, limit: 10 }),
    ).toEqual([]);
  });

  test('shows a conversation to its members as it is to each of them', async () => {
    const { conversationId, owner } = await newConversation(log());
    const get = (userId: string) =>
      log().conversations.getConversation({ conversationId, actor: member(userId) });
    expect(await get(owner)).toEqual({
      conversationId,
      head: 0,
      min: 1,
      joinedSeq: 1,
      membersVersion: 1,
      lastOccurredAt: undefined,
      memberCount: 1,
    });
    await appendTexts(log(), conversationId, owner, ['a', 'b', 'c']);
    await log().conversations.addMember({ conversationId, actor: member(owner), userId: 'rita' });
    const seen = await get('rita');
    expect(seen).toMatchObject({ head: 3, min: 4, joinedSeq: 4, membersVersion: 2, memberCount: 2 });
    expect(seen!.lastOccurredAt).toBeTypeOf('number');
    await log().operator.expireUpTo(conversationId, 2);
    expect(await get(owner)).toMatchObject({ head: 3, min: 3, joinedSeq: 1 });
    expect(await get('rita')).toMatchObject({ min: 4 });
  });

  test('an operator sees every conversation, a stranger none', async () => {
    const { conversationId, owner } = await newConversation(log());
    const at = { conversationId, after: undefined, limit: 10 };
    expect(
      await log().conversations.getConversation({ conversationId, actor: member('stranger') }),
    ).toBeUndefined();
    expect(await log().conversations.listMembers({ ...at, actor: member('stranger') })).toBeUndefined();
    expect(await log().conversations.getConversation({ conversationId, actor: operating })).toMatchObject({
      joinedSeq: 1,
    });
    expect(await log().conversations.listMembers({ ...at, actor: operating })).toEqual([
      { userId: owner, role: 'owner', joinedSeq: 1 },
    ]);
    const unknown = { conversationId: randomUUID(), actor: operating };
    expect(await log().conversations.getConversation(unknown)).toBeUndefined();
    expect(
      await log().conversations.listMembers({ ...unknown, after: undefined, limit: 10 }),
    ).toBeUndefined();
  });

  test('lists present members by the bytes of their ids, page after page', async () => {
    // By UTF-16 units U+1F600 would come before U+FF5E, by a language's rules B after a.
    const members = ['B', 'a', 'b', 'é', '\uFF5E', '\u{1F600}'];
    const { conversationId } = await newConversation(log(), 'M', members);
    await log().conversations.removeMember({ conversationId, actor: member('M'), userId: 'b' });
    const list = async (after: string | undefined, limit: number) => {
      const found = await log().conversations.listMembers({
        conversationId,
        actor: member('M'),
        after,
        limit,
      });
      return found!.map((view) => view.userId);
    };
    expect(await list(undefined, 10)).toEqual(['B', 'M', 'a', 'é', '\uFF5E', '\u{1F600}']);
    expect(await list(undefined, 3)).toEqual(['B', 'M', 'a']);
    expect(await list('a', 2)).toEqual(['é', '\uFF5E']);
    expect(await list('\u{1F600}', 2)).toEqual([]);
  });
}
