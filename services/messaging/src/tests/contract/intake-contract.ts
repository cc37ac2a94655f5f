import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { Fault } from '../../errors.ts';
import { Sealed } from '../../sealed.ts';
import {
  appendPatiently,
  appendTexts,
  member,
  newConversation,
  request,
  textOf,
  WHOLE,
  type LogUnderTest,
} from './log-under-test.ts';

export function intakeContract(log: () => LogUnderTest): void {
  const append = (...requests: ReturnType<typeof request>[]) =>
    log().intake.append(requests, { waitForLock: false });
  const page = async (conversationId: string) => {
    const [found] = await log().reader.readPages([{ conversationId, after: 0, ...WHOLE }]);
    return found!;
  };

  test('a group gets its seqs in the order of the requests, in each conversation from 1', async () => {
    const a = await newConversation(log());
    const b = await newConversation(log());
    const outcomes = await append(
      request(a.conversationId, a.owner, 'one'),
      request(b.conversationId, b.owner, 'first'),
      request(a.conversationId, a.owner, 'two'),
    );
    expect(outcomes).toMatchObject([
      { kind: 'accepted', seq: 1 },
      { kind: 'accepted', seq: 1 },
      { kind: 'accepted', seq: 2 },
    ]);
    await appendTexts(log(), a.conversationId, a.owner, ['three']);
    const { rows, head } = await page(a.conversationId);
    expect(head).toBe(3);
    expect(rows.map((row) => row.state === 'ready' && [row.seq, textOf(row.message.payload)])).toEqual([
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ]);
  });

  test('an empty group is no work', async () => {
    expect(await append()).toEqual([]);
  });

  test('what was accepted is what readers find', async () => {
    const { conversationId, owner } = await newConversation(log());
    const sent = request(conversationId, owner, 'hello');
    const [outcome] = await append(sent);
    const { rows, membersVersion, epoch } = await page(conversationId);
    expect(rows).toMatchObject([
      {
        state: 'ready',
        message: {
          conversationId,
          seq: 1,
          messageId: sent.messageId,
          eventId: sent.eventId,
          eventType: 'MessageCreated',
          membersVersion,
          replayNo: 0,
        },
      },
    ]);
    const { message } = rows[0] as { message: { occurredAt: number } };
    expect(outcome).toEqual({ kind: 'accepted', seq: 1, occurredAt: message.occurredAt, epoch });
  });

  test('the same message again gets the first answer and no second row', async () => {
    const { conversationId, owner } = await newConversation(log());
    const sent = request(conversationId, owner, 'hello');
    const [first] = await append(sent);
    const [second] = await append({ ...sent, eventId: randomUUID() });
    expect(second).toEqual({ ...first, kind: 'duplicate' });
    expect((await page(conversationId)).head).toBe(1);
  });

  test('the same message is recognised after its sender was removed', async () => {
    const { conversationId, owner } = await newConversation(log(), 'olga', ['rita']);
    const sent = request(conversationId, 'rita', 'hello');
    await append(sent);
    await log().conversations.removeMember({ conversationId, actor: member(owner), userId: 'rita' });
    expect(await append(sent)).toMatchObject([{ kind: 'duplicate', seq: 1 }]);
    expect(await append(request(conversationId, 'rita'))).toEqual([{ kind: 'not_member' }]);
  });

  test('a message_id that names another message is told to members only', async () => {
    const { conversationId, owner } = await newConversation(log());
    const sent = request(conversationId, owner, 'hello');
    await append(sent);
    const other = request(conversationId, owner, 'other', sent.messageId);
    expect(await append(other)).toEqual([{ kind: 'reused' }]);
    expect(await append(request(conversationId, 'stranger', 'other', sent.messageId))).toEqual([
      { kind: 'not_member' },
    ]);
    expect((await page(conversationId)).head).toBe(1);
  });

  test("an operator's row holds its message_id too", async () => {
    const { conversationId, owner } = await newConversation(log());
    const messageId = randomUUID();
    await log().operator.insertRow({ conversationId, messageId, payload: '{}' });
    expect(await append(request(conversationId, owner, 'hello', messageId))).toEqual([{ kind: 'reused' }]);
  });

  test('one message_id may stand in two conversations', async () => {
    const a = await newConversation(log());
    const b = await newConversation(log());
    const messageId = randomUUID();
    const outcomes = await append(
      request(a.conversationId, a.owner, 'hello', messageId),
      request(b.conversationId, b.owner, 'hello', messageId),
    );
    expect(outcomes).toMatchObject([{ kind: 'accepted' }, { kind: 'accepted' }]);
  });

  test('an unknown conversation and a stranger get the same answer, and hold up nobody', async () => {
    const { conversationId, owner } = await newConversation(log());
    const outcomes = await append(
      request(randomUUID(), owner),
      request(conversationId, 'stranger'),
      request(conversationId, owner),
    );
    expect(outcomes).toMatchObject([
      { kind: 'not_member' },
      { kind: 'not_member' },
      { kind: 'accepted', seq: 1 },
    ]);
  });

  test("a held counter makes its conversation's messages busy, and no others", async () => {
    const held = await newConversation(log());
    const free = await newConversation(log());
    const release = await log().operator.holdCounter(held.conversationId);
    try {
      const outcomes = await append(
        request(held.conversationId, held.owner),
        request(free.conversationId, free.owner),
      );
      expect(outcomes).toMatchObject([{ kind: 'busy' }, { kind: 'accepted', seq: 1 }]);
      const waiting = log().intake.append([request(held.conversationId, held.owner)], { waitForLock: true });
      await expect(waiting).rejects.toMatchObject({ name: 'Fault', code: 'contention', retryable: true });
    } finally {
      await release();
    }
    expect(await append(request(held.conversationId, held.owner))).toMatchObject([
      { kind: 'accepted', seq: 1 },
    ]);
  });

  test('a row that can never be stored takes its whole group with it, and says nothing of its content', async () => {
    const { conversationId, owner } = await newConversation(log());
    const bad = { ...request(conversationId, owner), payload: new Sealed('{"ciphertext": "secret\\u0000"}') };
    const failure: unknown = await append(request(conversationId, owner), bad).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(Fault);
    expect(failure).toMatchObject({ code: 'bad_row', retryable: false });
    expect(JSON.stringify(failure) + String((failure as Fault).stack)).not.toContain('secret');
    expect((failure as Fault).cause).toBeUndefined();
    expect((await page(conversationId)).head).toBe(0);
  });

  test('concurrent groups leave no hole and no place taken twice', async () => {
    const conversations = await Promise.all(Array.from({ length: 5 }, () => newConversation(log())));
    const accepted = new Map(conversations.map(({ conversationId }) => [conversationId, [] as number[]]));
    const writer = async () => {
      for (let round = 0; round < 10; round += 1) {
        const requests = conversations.flatMap(({ conversationId, owner }) => [
          request(conversationId, owner),
          request(conversationId, owner),
        ]);
        const outcomes = await appendPatiently(log(), requests);
        for (const [index, outcome] of outcomes.entries()) {
          if (outcome.kind === 'accepted') accepted.get(requests[index]!.conversationId)!.push(outcome.seq);
        }
      }
    };
    await Promise.all(Array.from({ length: 6 }, writer));
    for (const [conversationId, seqs] of accepted) {
      const { rows, head } = await page(conversationId);
      const whole = Array.from({ length: 120 }, (_, index) => index + 1);
      expect(seqs.sort((a, b) => a - b)).toEqual(whole);
      expect(rows.map((row) => row.seq)).toEqual(whole);
      expect(head).toBe(120);
    }
  });

  test('the same message in two groups at once is stored once', async () => {
    const { conversationId, owner } = await newConversation(log());
    const sent = request(conversationId, owner, 'once');
    const answers = await Promise.all(Array.from({ length: 8 }, () => appendPatiently(log(), [sent])));
    const kinds = answers.flat().map((outcome) => outcome.kind);
    expect(kinds.filter((kind) => kind === 'accepted')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(7);
    expect((await page(conversationId)).head).toBe(1);
  });

  test('nothing is accepted from a sender behind the place at which they were removed', async () => {
    const { conversationId, owner } = await newConversation(log(), 'olga', ['rita']);
    const seqs: number[] = [];
    let removed = false;
    const write = async () => {
      for (let stopped = false; !stopped;) {
        const last = removed;
        const [outcome] = await appendPatiently(log(), [request(conversationId, 'rita')]);
        if (outcome?.kind === 'accepted') seqs.push(outcome.seq);
        stopped = last;
      }
    };
    const writers = [write(), write(), write()];
    await appendTexts(log(), conversationId, owner, ['a', 'b', 'c']);
    await log().conversations.removeMember({ conversationId, actor: member(owner), userId: 'rita' });
    removed = true;
    await Promise.all(writers);
    const [answer] = await log().reader.readMembers([{ conversationId, userIds: ['rita'] }]);
    const { leftSeq } = answer!.members.get('rita')!;
    expect(Math.max(0, ...seqs)).toBeLessThanOrEqual(leftSeq!);
  });
}
