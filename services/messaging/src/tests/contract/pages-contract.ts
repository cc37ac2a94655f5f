import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { LogRow, PageRequest } from '../../ports.ts';
import { bucketOf } from '../../adapters/memory/log-state.ts';
import {
  appendPatiently,
  appendTexts,
  newConversation,
  PAYLOAD_LIMIT_BYTES,
  request,
  WHOLE,
  type LogUnderTest,
} from './log-under-test.ts';

export function pagesContract(log: () => LogUnderTest): void {
  const letters = ['a', 'b', 'c', 'd', 'e'];
  const filled = async () => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, letters);
    return conversationId;
  };
  const readPage = async (conversationId: string, asked: Partial<PageRequest> = {}) => {
    const [page] = await log().reader.readPages([{ conversationId, after: 0, ...WHOLE, ...asked }]);
    return page!;
  };
  const shape = (rows: readonly LogRow[]) => rows.map((row) => `${row.seq} ${row.state}`);
  /** One round of the row's bucket, in which the rows of the conversation get these verdicts and others are left. */
  const dispatch = (conversationId: string, verdictOf: (seq: number) => 'sent' | 'failed' | 'untouched') =>
    log().dispatch.dispatchBuckets([bucketOf(conversationId)], { limit: 1000 }, async (rows) =>
      rows.map(({ message }) => {
        const kind = message?.conversationId === conversationId ? verdictOf(message.seq) : 'untouched';
        return kind === 'failed' ? { kind, error: 'refused', parkMs: 60_000 } : { kind };
      }),
    );

  test('rows behind the cursor, with the head of the same moment', async () => {
    const id = await filled();
    expect(await readPage(id)).toMatchObject({
      epoch: 1,
      head: 5,
      floor: 0,
      membersVersion: 1,
      complete: true,
    });
    expect(shape((await readPage(id)).rows)).toEqual(['1 ready', '2 ready', '3 ready', '4 ready', '5 ready']);
    expect(shape((await readPage(id, { after: 3 })).rows)).toEqual(['4 ready', '5 ready']);
    expect(await readPage(id, { after: 5 })).toMatchObject({ head: 5, rows: [], complete: true });
    expect(await readPage(id, { after: 9 })).toMatchObject({ head: 5, rows: [], complete: true });
  });

  test('several pages come in the order of the requests; unknown conversations have none', async () => {
    const [a, b] = [await filled(), await filled()];
    const pages = await log().reader.readPages([
      { conversationId: b, after: 4, ...WHOLE },
      { conversationId: randomUUID(), after: 0, ...WHOLE },
      { conversationId: a, after: 3, ...WHOLE },
      { conversationId: b, after: 0, ...WHOLE, limit: 1 },
    ]);
    expect(pages.map((page) => page && shape(page.rows))).toEqual([
      ['5 ready'],
      undefined,
      ['4 ready', '5 ready'],
      ['1 ready'],
    ]);
    expect(pages.map((page) => page?.complete)).toEqual([true, undefined, true, false]);
    expect(await log().reader.readPages([])).toEqual([]);
  });

  test('a conversation without messages has an empty page', async () => {
    const { conversationId } = await newConversation(log());
    expect(await readPage(conversationId)).toMatchObject({ head: 0, floor: 0, rows: [], complete: true });
  });

  test('a page ends at its limit, and says whether it left anything out', async () => {
    const id = await filled();
    expect(await readPage(id, { limit: 4 })).toMatchObject({ complete: false });
    expect(shape((await readPage(id, { limit: 4 })).rows)).toHaveLength(4);
    expect(await readPage(id, { limit: 5 })).toMatchObject({ complete: true });
    expect(await readPage(id, { after: 4, limit: 1 })).toMatchObject({ complete: true });
  });

  test('a page ends before it grows too large, but holds one row at least', async () => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, ['x'.repeat(400), 'y'.repeat(400), 'z'.repeat(400)]);
    expect(shape((await readPage(conversationId, { maxBytes: 1000 })).rows)).toEqual(['1 ready', '2 ready']);
    expect(await readPage(conversationId, { maxBytes: 1000 })).toMatchObject({ complete: false });
    expect(shape((await readPage(conversationId, { maxBytes: 1 })).rows)).toEqual(['1 ready']);
    expect(await readPage(conversationId, { after: 2, maxBytes: 1 })).toMatchObject({ complete: true });
  });

  test('a dead row is a gap, and costs none of the bytes', async () => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, ['x'.repeat(400), 'y'.repeat(400), 'z'.repeat(400)]);
    await log().operator.markDead(conversationId, 2);
    const page = await readPage(conversationId, { maxBytes: 1000 });
    expect(shape(page.rows)).toEqual(['1 ready', '2 dead', '3 ready']);
    expect(page.complete).toBe(true);
    expect(page.rows[1]).toEqual({ state: 'dead', seq: 2 });
  });

  test('a row that no frame can carry is a gap whatever its status', async () => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, ['small']);
    const payload = JSON.stringify({ ciphertext: 'x'.repeat(PAYLOAD_LIMIT_BYTES) });
    await log().operator.insertRow({ conversationId, payload });
    await appendTexts(log(), conversationId, owner, ['small again']);
    expect(shape((await readPage(conversationId)).rows)).toEqual(['1 ready', '2 dead', '3 ready']);
    await dispatch(conversationId, () => 'sent');
    expect(shape((await readPage(conversationId)).rows)).toEqual(['1 ready', '2 dead', '3 ready']);
  });

  test('a pending row is delivered: an outage withholds nothing', async () => {
    const id = await filled();
    await dispatch(id, (seq) => (seq < 3 ? 'sent' : 'untouched'));
    expect(shape((await readPage(id)).rows)).toHaveLength(5);
  });

  test('nothing behind a row that is being retried is served before it', async () => {
    const id = await filled();
    await dispatch(id, (seq) => (seq < 3 ? 'sent' : seq === 3 ? 'failed' : 'untouched'));
    const page = await readPage(id);
    expect(shape(page.rows)).toEqual(['1 ready', '2 ready', '3 retrying']);
    expect(page).toMatchObject({ head: 5, complete: false });
    expect(page.rows[2]).toEqual({ state: 'retrying', seq: 3 });
    expect(shape((await readPage(id, { after: 2, limit: 1 })).rows)).toEqual(['3 retrying']);
    await log().operator.passTime(60_001);
    await dispatch(id, () => 'sent');
    expect(shape((await readPage(id)).rows)).toHaveLength(5);
  });

  test('what has expired is below the floor, and in no page', async () => {
    const id = await filled();
    await log().operator.markDead(id, 2);
    await log().operator.expireUpTo(id, 3);
    expect(await readPage(id)).toMatchObject({ head: 5, floor: 3, complete: true });
    expect(shape((await readPage(id)).rows)).toEqual(['4 ready', '5 ready']);
    expect(shape((await readPage(id, { after: 4 })).rows)).toEqual(['5 ready']);
    await log().operator.expireUpTo(id, 5);
    expect(await readPage(id)).toMatchObject({ head: 5, floor: 5, rows: [], complete: true });
  });

  test('a row that is gone is missing in its page, and hides nothing else', async () => {
    const id = await filled();
    await log().operator.loseRow(id, 3);
    expect(shape((await readPage(id)).rows)).toEqual(['1 ready', '2 ready', '4 ready', '5 ready']);
    expect(await readPage(id)).toMatchObject({ head: 5, complete: true });
    expect(shape((await readPage(id, { limit: 3 })).rows)).toEqual(['1 ready', '2 ready', '4 ready']);
    await log().operator.loseRow(id, 5);
    expect(await readPage(id, { after: 4 })).toMatchObject({ head: 5, rows: [], complete: true });
  });

  test('a page read while others write has no hole', async () => {
    const { conversationId, owner } = await newConversation(log());
    let writing = true;
    const writer = async () => {
      for (let round = 0; round < 15; round += 1) {
        const requests = Array.from({ length: 5 }, () => request(conversationId, owner));
        await appendPatiently(log(), requests);
      }
    };
    const written = Promise.all([writer(), writer(), writer()]).then(() => (writing = false));
    while (writing) {
      const { rows, head } = await readPage(conversationId);
      expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: head }, (_, index) => index + 1));
    }
    await written;
    expect(await readPage(conversationId)).toMatchObject({ head: 225 });
  });
}
