import { randomUUID } from 'node:crypto';
import { CONVERSATIONS_PER_USER_MAX, MEMBERS_PER_CONVERSATION_MAX, TIME_PATTERN } from '@sanctum/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HttpClient } from '../../tests/support/http-client.ts';
import { type HttpFixture, startHttpFixture } from '../../tests/support/http-fixture.ts';

let http: HttpFixture;
let alice: HttpClient;
let bob: HttpClient;
let mallory: HttpClient;
let manager: HttpClient;
let operator: HttpClient;
let conversationId: string;

beforeAll(async () => {
  http = await startHttpFixture();
  [alice, bob, mallory] = await Promise.all([http.as('alice'), http.as('bob'), http.as('mallory')]);
  manager = await http.as('service', { scope: 'messaging:manage' });
  operator = await http.as('ops', { scope: ['messaging:operate'] });
  for (let i = 0; i < CONVERSATIONS_PER_USER_MAX; i++) {
    await http.log.conversations.createConversation({
      conversationId: randomUUID(),
      owner: 'in too many',
      members: [],
    });
  }
});
afterAll(() => http.close());
beforeEach(async () => {
  conversationId = (await alice.createConversation(['bob'])).body.conversation_id;
  http.membershipChanges.length = 0;
});

describe('POST a conversation', () => {
  it('201: the caller is owner and member', async () => {
    const answer = await alice.createConversation(['bob', 'carol', 'bob', 'alice']);
    expect(answer.status).toBe(201);
    const { conversation_id: id } = answer.body;
    expect(answer.body).toEqual({ conversation_id: id, owner: 'alice', head: 0, members_version: 1 });
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(http.membershipChanges).toEqual([{ conversationId: id, userIds: ['alice', 'bob', 'carol'] }]);
    expect((await alice.members(id)).body.members).toEqual([
      { user_id: 'alice', role: 'owner', joined_seq: 1 },
      { user_id: 'bob', role: 'member', joined_seq: 1 },
      { user_id: 'carol', role: 'member', joined_seq: 1 },
    ]);
  });

  it('201 for a service too, which is owner and member then', async () => {
    const { body } = await manager.createConversation(['bob']);
    expect(body.owner).toBe('service');
    expect((await manager.conversation(body.conversation_id)).body.member_count).toBe(2);
  });

  it('200 for the same again, 409 for another', async () => {
    const id = randomUUID();
    await alice.createConversation(['bob'], id);
    await alice.postMessage(id);
    http.membershipChanges.length = 0;
    const again = await alice.createConversation(['bob', 'alice'], id);
    expect([again.status, again.body.head]).toEqual([200, 1]);
    expect((await alice.createConversation(['carol'], id)).problem).toMatchObject({
      status: 409,
      code: 'conversation_exists',
    });
    expect((await mallory.createConversation(['bob'], id)).problem?.code).toBe('conversation_exists');
    expect(http.membershipChanges).toEqual([]);
  });

  it('409 when somebody is in too many already', async () => {
    const answer = await alice.createConversation(['in too many']);
    expect(answer.problem).toMatchObject({ status: 409, code: 'too_many_conversations' });
  });

  it('takes 256 members of 255 bytes, and no more', async () => {
    const members = Array.from({ length: 256 }, (_, i) => String(i).padEnd(255, '"'));
    expect((await alice.createConversation(members)).status).toBe(201);
    expect((await alice.createConversation([...members, 'one'])).problem).toMatchObject({
      status: 400,
      code: 'invalid_body',
    });
  });

  it.each([
    ['no members', {}, 'invalid_body'],
    ['members that are no list', { members: 'bob' }, 'invalid_body'],
    ['an empty member', { members: [''] }, 'invalid_body'],
    ['a member of 256 bytes', { members: ['é'.repeat(128)] }, 'invalid_body'],
    ['a member with a NUL', { members: ['a\u0000'] }, 'invalid_body'],
    ['half a surrogate pair', { members: ['\ud800'] }, 'invalid_body'],
    ['an id that is no UUID', { members: [], conversation_id: 'x' }, 'invalid_uuid'],
    ['an unknown field', { members: [], title: 'x' }, 'unknown_field'],
  ])('400 for %s', async (_, body, code) => {
    const answer = await alice.request('POST', '/v1/conversations', { body });
    expect(answer.problem).toMatchObject({ status: 400, code });
  });

  it('413 for a body above any that could be valid', async () => {
    const answer = await alice.request('POST', '/v1/conversations', { rawBody: ' '.repeat(500_000) });
    expect(answer.problem).toMatchObject({ status: 413, code: 'payload_too_large' });
  });
});

describe('GET conversations', () => {
  it('200: the caller’s, page by page', async () => {
    const dora = await http.as('dora');
    const ids = await Promise.all(
      [1, 2, 3].map(async () => (await dora.createConversation([])).body.conversation_id),
    );
    ids.sort();
    await dora.postMessage(ids[0]!);
    const first = (await dora.conversations({ limit: 2 })).body;
    expect(first.conversations).toEqual([
      {
        conversation_id: ids[0],
        head: 1,
        min: 1,
        joined_seq: 1,
        members_version: 1,
        last_occurred_at: expect.stringMatching(TIME_PATTERN) as unknown,
      },
      { conversation_id: ids[1], head: 0, min: 1, joined_seq: 1, members_version: 1, last_occurred_at: null },
    ]);
    const second = (await dora.conversations({ limit: 2, cursor: first.next_cursor! })).body;
    expect([second.conversations.map(({ conversation_id }) => conversation_id), second.next_cursor]).toEqual([
      [ids[2]],
      null,
    ]);
    expect((await dora.conversations({ limit: 3 })).body.next_cursor).toBeNull();
    expect((await (await http.as('nobody')).conversations()).body).toEqual({
      conversations: [],
      next_cursor: null,
    });
  });

  it.each([
    'limit=0',
    'limit=501',
    'limit=ten',
    'cursor=',
    'cursor=nonsense',
    `cursor=${randomUUID()}`,
    `cursor=${Buffer.from('not a uuid').toString('base64url')}`,
    `cursor=${'A'.repeat(513)}`,
    'cursor=a&cursor=b',
  ])('400 for %s', async (query) => {
    const answer = await alice.request('GET', `/v1/conversations?${query}`);
    expect(answer.problem).toMatchObject({ status: 400, code: 'invalid_parameter' });
  });
});

describe('GET a conversation', () => {
  it('200 with its size, to members and operators', async () => {
    const answer = await bob.conversation(conversationId);
    expect(answer.body).toEqual({
      conversation_id: conversationId,
      head: 0,
      min: 1,
      joined_seq: 1,
      members_version: 1,
      last_occurred_at: null,
      member_count: 2,
    });
    expect((await operator.conversation(conversationId)).status).toBe(200);
  });

  it('404 to others, the same as for what is not', async () => {
    for (const stranger of [mallory, manager]) {
      const forbidden = await stranger.conversation(conversationId);
      expect(forbidden.problem).toMatchObject({ status: 404, code: 'conversation_not_found' });
      expect(forbidden.text).toBe((await stranger.conversation(randomUUID())).text);
    }
    expect((await operator.conversation(randomUUID())).status).toBe(404);
    expect((await alice.conversation('x')).problem?.code).toBe('invalid_uuid');
  });
});

describe('GET members', () => {
  it('200: page by page, by the bytes of their ids', async () => {
    const names = ['Zoe', 'a b', 'élan', 'ö/ä', '🙂'];
    const id = (await alice.createConversation(names)).body.conversation_id;
    const found: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = (await alice.members(id, { limit: 2, ...(cursor && { cursor }) })).body;
      found.push(...page.members.map(({ user_id }) => user_id));
      cursor = page.next_cursor;
    }
    expect(found).toEqual(['Zoe', 'a b', 'alice', 'élan', 'ö/ä', '🙂']);
  });

  it('404 and 400 as for the conversation', async () => {
    expect((await mallory.members(conversationId)).text).toBe((await mallory.members(randomUUID())).text);
    expect((await mallory.members(conversationId)).problem?.code).toBe('conversation_not_found');
    expect((await alice.members('x')).problem?.code).toBe('invalid_uuid');
    expect((await alice.members(conversationId, { limit: 501 })).problem?.code).toBe('invalid_parameter');
    expect((await alice.members(conversationId, { cursor: 'AAE' })).problem?.code).toBe('invalid_parameter');
  });
});

describe('PUT a member', () => {
  it('200, repeatable', async () => {
    await alice.postMessage(conversationId);
    const first = await alice.putMember(conversationId, 'carol');
    expect([first.status, first.body]).toEqual([200, { user_id: 'carol', joined_seq: 2 }]);
    const again = await alice.putMember(conversationId, 'carol');
    expect([again.status, again.body]).toEqual([200, { user_id: 'carol', joined_seq: 2 }]);
    expect(http.membershipChanges).toEqual([{ conversationId, userIds: ['carol'] }]);
  });

  it('200 for an id of any characters', async () => {
    for (const user of ['ö/ä?#%', 'a'.repeat(255), '🙂'.repeat(63), 'x y', '...']) {
      const answer = await alice.putMember(conversationId, user);
      expect([answer.status, answer.body]).toEqual([200, { user_id: user, joined_seq: 1 }]);
    }
  });

  it('by the owner or a service; 403 to other members, 404 to strangers', async () => {
    expect((await manager.putMember(conversationId, 'dave')).status).toBe(200);
    expect((await bob.putMember(conversationId, 'eve')).problem).toMatchObject({
      status: 403,
      code: 'not_owner',
    });
    expect((await operator.putMember(conversationId, 'eve')).problem?.code).toBe('conversation_not_found');
    const forbidden = await mallory.putMember(conversationId, 'mallory');
    expect(forbidden.problem).toMatchObject({ status: 404, code: 'conversation_not_found' });
    expect(forbidden.text).toBe((await mallory.putMember(randomUUID(), 'mallory')).text);
    expect((await manager.putMember(randomUUID(), 'eve')).problem?.code).toBe('conversation_not_found');
  });

  it('409 above the limits', async () => {
    expect((await alice.putMember(conversationId, 'in too many')).problem).toMatchObject({
      status: 409,
      code: 'too_many_conversations',
    });
    const { members } = http.log.conversation(conversationId)!;
    const member = { role: 'member', joinedSeq: 1, leftSeq: undefined, changedVersion: 1 } as const;
    while (members.size < MEMBERS_PER_CONVERSATION_MAX) members.set(`member ${members.size}`, member);
    expect((await alice.putMember(conversationId, 'one too many')).problem).toMatchObject({
      status: 409,
      code: 'conversation_full',
    });
  });

  it('400 for a wrong address', async () => {
    expect((await alice.putMember('x', 'bob')).problem?.code).toBe('invalid_uuid');
    const put = async (rest: string) =>
      (await alice.request('PUT', `/v1/conversations/${conversationId}/members/${rest}`)).problem?.code;
    expect(await put('a%00b')).toBe('invalid_parameter');
    expect(await put('%zz')).toBe('invalid_parameter');
    expect(await put('%ff')).toBe('invalid_parameter');
    expect(await put('a'.repeat(256))).toBe('invalid_parameter');
    expect(await put(encodeURIComponent('é'.repeat(128)))).toBe('invalid_parameter');
    expect(await put('a'.repeat(2000))).toBe('invalid_parameter');
  });

  it('takes an empty body, and refuses any other', async () => {
    const put = (rawBody: string, headers = {}) =>
      alice.request('PUT', `/v1/conversations/${conversationId}/members/frank`, { rawBody, headers });
    expect((await put('')).status).toBe(200);
    expect((await put('{}')).status).toBe(200);
    expect((await put('{"role":"owner"}')).problem).toMatchObject({ status: 400, code: 'unknown_field' });
    expect((await put('[]')).problem).toMatchObject({ status: 400, code: 'invalid_body' });
    expect((await put('{')).problem).toMatchObject({ status: 400, code: 'invalid_json' });
    expect((await put('x', { 'content-type': 'text/plain' })).problem).toMatchObject({ status: 415 });
    expect((await put('{}', { 'content-encoding': 'gzip' })).problem).toMatchObject({ status: 415 });
  });
});

describe('DELETE a member', () => {
  it('204, repeatable; the member reads nothing any more', async () => {
    await alice.postMessage(conversationId);
    const first = await alice.deleteMember(conversationId, 'bob');
    expect([first.status, first.text]).toEqual([204, '']);
    expect((await alice.deleteMember(conversationId, 'bob')).status).toBe(204);
    expect(http.membershipChanges).toEqual([{ conversationId, userIds: ['bob'] }]);
    expect((await bob.history(conversationId)).problem?.code).toBe('conversation_not_found');
    expect((await bob.postMessage(conversationId)).problem?.code).toBe('conversation_not_found');
  });

  it('by the member too, twice too', async () => {
    expect((await bob.deleteMember(conversationId, 'bob')).status).toBe(204);
    expect((await bob.deleteMember(conversationId, 'bob')).status).toBe(204);
  });

  it('403 to other members, 404 to strangers', async () => {
    expect((await bob.deleteMember(conversationId, 'alice')).problem).toMatchObject({
      status: 403,
      code: 'not_owner',
    });
    const forbidden = await mallory.deleteMember(conversationId, 'bob');
    expect(forbidden.problem).toMatchObject({ status: 404, code: 'conversation_not_found' });
    expect(forbidden.text).toBe((await mallory.deleteMember(randomUUID(), 'bob')).text);
    expect((await mallory.deleteMember(conversationId, 'mallory')).status).toBe(404);
    expect((await manager.deleteMember(conversationId, 'bob')).status).toBe(204);
  });
});
