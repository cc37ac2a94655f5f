import { beforeEach, expect, test } from 'vitest';
import { bucketOf } from '../../adapters/memory/log-state.ts';
import type { OutboxRow, Verdict } from '../../ports.ts';
import {
  appendTexts,
  newConversation,
  PAYLOAD_LIMIT_BYTES,
  textOf,
  type LogUnderTest,
} from './log-under-test.ts';

type Publish = (rows: readonly OutboxRow[], epoch: number) => Promise<readonly Verdict[]>;

const sendAll: Publish = async (rows) => rows.map(() => ({ kind: 'sent' }));
const failFirst =
  (parkMs: number): Publish =>
  async (rows) =>
    rows.map((_, index) =>
      index === 0 ? { kind: 'failed', error: 'refused', parkMs } : { kind: 'untouched' },
    );
/** After a reconnect to the same Redis. */
const again = { life: 'one', reconnected: true, withinMs: 30_000, downMs: 0, downMaxMs: 600_000 };
const nothing: Publish = () => Promise.reject(new Error('nothing was to be published'));

export function dispatchContract(log: () => LogUnderTest): void {
  beforeEach(async () => {
    // What earlier tests left behind is out of the way: parked no longer, sent, and long ago.
    await log().operator.passTime(10 * 60_000);
    for (const bucket of await log().dispatch.pendingBuckets()) await round(bucket, sendAll, 100_000);
    await log().operator.passTime(10 * 60_000);
  });

  const rounds = (buckets: readonly number[], publish: Publish, limit = 100) =>
    log().dispatch.dispatchBuckets(buckets, { limit }, publish);
  const round = (bucket: number, publish: Publish, limit = 100) => rounds([bucket], publish, limit);
  const filled = async (...texts: string[]) => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, texts);
    return { conversationId, owner, bucket: bucketOf(conversationId) };
  };
  /** In a bucket that no other test has had sent again: what life it was served in stays with it. */
  const resentBuckets = new Set<number>();
  const filledForResend = async (...texts: string[]) => {
    let owned = await newConversation(log());
    while (resentBuckets.has(bucketOf(owned.conversationId))) owned = await newConversation(log());
    const { conversationId, owner } = owned;
    const bucket = bucketOf(conversationId);
    resentBuckets.add(bucket);
    await appendTexts(log(), conversationId, owner, texts);
    return { conversationId, owner, bucket };
  };
  /** A conversation for each list of texts, in different buckets, by ascending bucket. */
  const filledApart = async (...lists: string[][]) => {
    const conversations = new Map<number, { conversationId: string; owner: string }>();
    while (conversations.size < lists.length) {
      const conversation = await newConversation(log());
      conversations.set(bucketOf(conversation.conversationId), conversation);
    }
    const ascending = [...conversations].sort(([a], [b]) => a - b);
    return Promise.all(
      ascending.map(async ([bucket, { conversationId, owner }], index) => {
        await appendTexts(log(), conversationId, owner, lists[index]!);
        return { bucket, conversationId, owner };
      }),
    );
  };
  /** A conversation in the same bucket as another. */
  const filledBeside = async (bucket: number, ...texts: string[]) => {
    for (;;) {
      const { conversationId, owner } = await newConversation(log());
      if (bucketOf(conversationId) !== bucket) continue;
      await appendTexts(log(), conversationId, owner, texts);
      return { conversationId, owner };
    }
  };
  const textsOf = (rows: readonly OutboxRow[]) =>
    rows.map(({ message }) => message && textOf(message.payload));
  const collect = (into: (string | undefined)[], publish: Publish = sendAll): Publish => {
    return (rows, epoch) => {
      into.push(...textsOf(rows));
      return publish(rows, epoch);
    };
  };
  const row = (conversationId: string, seq: number) => log().operator.row(conversationId, seq);

  test('rows are published in order and marked as sent', async () => {
    const { conversationId, bucket } = await filled('a', 'b', 'c');
    let seen: readonly OutboxRow[] = [];
    const result = await round(bucket, async (rows, epoch) => {
      seen = rows;
      expect(epoch).toBe(await log().reader.readEpoch());
      return rows.map(() => ({ kind: 'sent' }));
    });
    expect(result).toEqual({ picked: 3, sent: 3, failed: 0, dead: 0, busy: [], full: [] });
    expect(textsOf(seen)).toEqual(['a', 'b', 'c']);
    expect(seen.map((claimed) => [claimed.bucket, claimed.attempts])).toEqual(seen.map(() => [bucket, 0]));
    const [page] = await log().reader.readPages([{ conversationId, after: 0, limit: 9, maxBytes: 1e6 }]);
    const read = page!.rows.map((found) => found.state === 'ready' && found.message);
    expect(seen.map(({ message }) => ({ ...message, payload: message!.payload.reveal() }))).toEqual(
      read.map((message) => message && { ...message, payload: message.payload.reveal() }),
    );
    expect(await row(conversationId, 1)).toMatchObject({ status: 'sent', attempts: 0, dispatched: true });
    expect(await round(bucket, nothing)).toMatchObject({ picked: 0, busy: [] });
  });

  test('names the buckets that have work', async () => {
    expect(await log().dispatch.pendingBuckets()).toEqual([]);
    const { bucket } = await filled('a');
    expect(await log().dispatch.pendingBuckets()).toEqual([bucket]);
    const other = await filled('b');
    const expected = [...new Set([bucket, other.bucket])].sort((a, b) => a - b);
    expect(await log().dispatch.pendingBuckets()).toEqual(expected);
  });

  test('a full batch says that there may be more', async () => {
    const { bucket } = await filled('a', 'b', 'c');
    const seen: (string | undefined)[] = [];
    expect(await round(bucket, collect(seen), 2)).toMatchObject({ picked: 2, full: [bucket] });
    expect(await round(bucket, collect(seen), 2)).toMatchObject({ picked: 1, full: [] });
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('what was not tried stays pending, without an attempt', async () => {
    const { conversationId, bucket } = await filled('a', 'b');
    const result = await round(bucket, async () => [{ kind: 'sent' }, { kind: 'untouched' }]);
    expect(result).toMatchObject({ picked: 2, sent: 1, failed: 0, dead: 0 });
    expect(await row(conversationId, 2)).toMatchObject({ status: 'pending', attempts: 0 });
    const seen: (string | undefined)[] = [];
    await round(bucket, collect(seen));
    expect(seen).toEqual(['b']);
  });

  test('when publishing fails nothing is recorded, and the bucket is free again', async () => {
    const { conversationId, bucket } = await filled('a');
    const failure = new Error('redis is gone');
    await expect(round(bucket, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await row(conversationId, 1)).toMatchObject({ status: 'pending', attempts: 0 });
    expect(await round(bucket, sendAll)).toMatchObject({ sent: 1 });
  });

  test('a bucket has one owner at a time, from the claim until the verdicts are recorded', async () => {
    const { bucket } = await filledForResend('a', 'b');
    const result = await round(bucket, async (rows) => {
      expect(await round(bucket, nothing)).toMatchObject({ picked: 0, busy: [bucket], full: [] });
      const rule = { life: 'a', reconnected: true, withinMs: 1000, downMs: 0, downMaxMs: 0, everyMs: 0 };
      expect(await log().dispatch.resendBucket(bucket, rule, async () => {})).toBe(undefined);
      return rows.map(() => ({ kind: 'sent' }));
    });
    expect(result).toMatchObject({ sent: 2, busy: [] });
    const release = await log().operator.holdBucket(bucket);
    expect(await round(bucket, nothing)).toMatchObject({ picked: 0, busy: [bucket], full: [] });
    await release();
    expect(await round(bucket, nothing)).toMatchObject({ picked: 0, busy: [] });
  });

  test('several buckets go in one round, by bucket and id; one that is owned elsewhere is left out', async () => {
    const [a, b, c] = await filledApart(['a1', 'a2'], ['b1'], ['c1', 'c2']);
    await appendTexts(log(), a!.conversationId, a!.owner, ['a3']);
    const all = [c!.bucket, a!.bucket, b!.bucket];
    const release = await log().operator.holdBucket(b!.bucket);
    const seen: (string | undefined)[] = [];
    const result = await rounds(all, async (rows, epoch) => {
      expect(epoch).toBe(await log().reader.readEpoch());
      expect(rows.map(({ bucket }) => bucket)).toEqual([a, a, a, c, c].map((each) => each!.bucket));
      expect(await rounds(all, nothing)).toMatchObject({ picked: 0, busy: all.toSorted((x, y) => x - y) });
      return collect(seen)(rows, epoch);
    });
    expect(result).toEqual({ picked: 5, sent: 5, failed: 0, dead: 0, busy: [b!.bucket], full: [] });
    expect(seen).toEqual(['a1', 'a2', 'a3', 'c1', 'c2']);
    expect(await row(b!.conversationId, 1)).toMatchObject({ status: 'pending', attempts: 0 });
    await release();
    expect(await rounds(all, collect(seen))).toMatchObject({ picked: 1, sent: 1, busy: [], full: [] });
    expect(await rounds(all, nothing)).toMatchObject({ picked: 0, busy: [], full: [] });
  });

  test('each bucket has its share of a batch, and those with more are named', async () => {
    const [a, b, c] = await filledApart(['a1', 'a2', 'a3'], ['b1'], ['c1', 'c2']);
    const all = [a!.bucket, b!.bucket, c!.bucket];
    const seen: (string | undefined)[] = [];
    const full = [a!.bucket, c!.bucket];
    expect(await rounds(all, collect(seen), 7)).toMatchObject({ picked: 5, sent: 5, full });
    expect(seen).toEqual(['a1', 'a2', 'b1', 'c1', 'c2']);
    expect(await rounds(all, collect(seen), 7)).toMatchObject({ picked: 1, full: [] });
    expect(seen.slice(5)).toEqual(['a3']);
  });

  test('a bucket that is owned elsewhere leaves its share to the others', async () => {
    const [a, b] = await filledApart(['a1', 'a2', 'a3'], ['b1']);
    const release = await log().operator.holdBucket(b!.bucket);
    const seen: (string | undefined)[] = [];
    const result = await rounds([a!.bucket, b!.bucket], collect(seen), 3);
    await release();
    expect(result).toMatchObject({ picked: 3, busy: [b!.bucket], full: [a!.bucket] });
    expect(seen).toEqual(['a1', 'a2', 'a3']);
  });

  test('many rows of several buckets are all marked', async () => {
    const texts = Array.from({ length: 150 }, (_, index) => String(index));
    const found = await filledApart(texts, texts, texts, texts);
    const buckets = found.map(({ bucket }) => bucket);
    expect(await rounds(buckets, sendAll, 1000)).toMatchObject({ picked: 600, sent: 600, full: [] });
    expect(await rounds(buckets, nothing, 1000)).toMatchObject({ picked: 0, busy: [] });
  });

  test('dispatchers beside one another send each row once, in order', async () => {
    const { bucket } = await filled(...Array.from({ length: 60 }, (_, index) => String(index)));
    const seen: (string | undefined)[] = [];
    const dispatcher = async () => {
      for (;;) {
        const { picked, busy } = await round(bucket, collect(seen), 7);
        if (picked === 0 && busy.length === 0) return;
      }
    };
    await Promise.all([dispatcher(), dispatcher(), dispatcher()]);
    expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => String(index)));
  });

  test('a failed row parks its conversation and no other', async () => {
    const { conversationId, bucket } = await filled('a', 'b');
    const result = await round(bucket, failFirst(60_000));
    expect(result).toMatchObject({ picked: 2, sent: 0, failed: 1 });
    expect(await row(conversationId, 1)).toMatchObject({
      status: 'pending',
      attempts: 1,
      lastError: 'refused',
    });
    expect(await log().dispatch.pendingBuckets()).toEqual([]);
    expect(await round(bucket, nothing)).toMatchObject({ picked: 0, busy: [] });

    await filledBeside(bucket, 'c');
    const seen: (string | undefined)[] = [];
    await round(bucket, collect(seen));
    expect(seen).toEqual(['c']);

    await log().operator.passTime(60_001);
    expect(await log().dispatch.pendingBuckets()).toEqual([bucket]);
    let attempts: number[] = [];
    await round(bucket, async (rows) => {
      attempts = rows.map((claimed) => claimed.attempts);
      return rows.map(() => ({ kind: 'sent' }));
    });
    expect(attempts).toEqual([1, 0]);
    expect(await row(conversationId, 1)).toMatchObject({ status: 'sent', attempts: 1, lastError: undefined });
  });

  test('a row that fails in one bucket holds up no other bucket of the round', async () => {
    const [a, b, c] = await filledApart(['a1', 'a2'], ['b1', 'b2'], ['c1']);
    const all = [a!.bucket, b!.bucket, c!.bucket];
    const verdicts: Verdict[] = [
      { kind: 'sent' },
      { kind: 'failed', error: 'refused', parkMs: 60_000 },
      { kind: 'dead', error: 'refused' },
      { kind: 'sent' },
      { kind: 'sent' },
    ];
    const result = await rounds(all, async () => verdicts);
    expect(result).toMatchObject({ picked: 5, sent: 3, failed: 1, dead: 1 });
    const of = async ({ conversationId }: { conversationId: string }, ...seqs: number[]) =>
      Promise.all(seqs.map(async (seq) => (await row(conversationId, seq))?.status));
    expect(await of(a!, 1, 2)).toEqual(['sent', 'pending']);
    expect(await of(b!, 1, 2)).toEqual(['dead', 'sent']);
    expect(await of(c!, 1)).toEqual(['sent']);
    await appendTexts(log(), c!.conversationId, c!.owner, ['c2']);
    const seen: (string | undefined)[] = [];
    expect(await rounds(all, collect(seen))).toMatchObject({ picked: 1, sent: 1 });
    expect(seen).toEqual(['c2']);
  });

  test('a dead row is buried, and later ones go on', async () => {
    const { conversationId, bucket } = await filled('a', 'b');
    const result = await round(bucket, async () => [{ kind: 'dead', error: 'refused' }, { kind: 'sent' }]);
    expect(result).toMatchObject({ sent: 1, dead: 1, failed: 0 });
    expect(await row(conversationId, 1)).toMatchObject({ status: 'dead', attempts: 1, lastError: 'refused' });
    expect(await row(conversationId, 2)).toMatchObject({ status: 'sent' });
    expect(await round(bucket, nothing)).toMatchObject({ picked: 0, busy: [] });

    await log().operator.requeueDead(conversationId);
    expect(await row(conversationId, 1)).toMatchObject({
      status: 'pending',
      attempts: 0,
      replayNo: 1,
      lastError: undefined,
    });
    const seen: (string | undefined)[] = [];
    await round(bucket, collect(seen));
    expect(seen).toEqual(['a']);
  });

  test('a row that no frame can carry has no message, and dies without an attempt', async () => {
    const { conversationId, bucket } = await filled('a');
    const payload = JSON.stringify({ ciphertext: 'x'.repeat(PAYLOAD_LIMIT_BYTES) });
    const seq = await log().operator.insertRow({ conversationId, payload });
    const result = await round(bucket, async (rows) => {
      expect(textsOf(rows)).toEqual(['a', undefined]);
      return [{ kind: 'sent' }, { kind: 'dead', error: 'too_large' }];
    });
    expect(result).toMatchObject({ sent: 1, dead: 1 });
    expect(await row(conversationId, seq)).toMatchObject({
      status: 'dead',
      attempts: 0,
      lastError: 'too_large',
    });
  });

  test('a replay goes out again, with its number', async () => {
    const { conversationId, bucket } = await filled('a', 'b');
    await round(bucket, sendAll);
    await log().operator.replay(conversationId, 1, 1);
    let replays: (number | undefined)[] = [];
    await round(bucket, async (rows) => {
      replays = rows.map(({ message }) => message?.replayNo);
      return rows.map(() => ({ kind: 'sent' }));
    });
    expect(replays).toEqual([1]);
    expect(await row(conversationId, 1)).toMatchObject({ status: 'sent', replayNo: 1, dispatched: true });
  });

  test('a row that is still pending is not replayed: it goes out once', async () => {
    const { conversationId, bucket } = await filled('a');
    await log().operator.replay(conversationId, 1, 1);
    expect(await row(conversationId, 1)).toMatchObject({ status: 'pending', replayNo: 0 });
    expect(await round(bucket, sendAll)).toMatchObject({ sent: 1 });
  });

  test('what an operator does between publishing and marking is not overwritten', async () => {
    const { conversationId, bucket } = await filled('a', 'b', 'c');
    await round(bucket, sendAll);
    await log().operator.replay(conversationId, 1, 3);
    const result = await round(bucket, async (rows) => {
      await log().operator.markDead(conversationId, 1);
      await log().operator.requeueDead(conversationId);
      await log().operator.markDead(conversationId, 3);
      return rows.map(() => ({ kind: 'sent' }));
    });
    expect(result).toMatchObject({ picked: 3, sent: 1 });
    expect(await row(conversationId, 1)).toMatchObject({ status: 'pending', replayNo: 2 });
    expect(await row(conversationId, 2)).toMatchObject({ status: 'sent', replayNo: 1 });
    expect(await row(conversationId, 3)).toMatchObject({ status: 'dead' });
    const seen: (string | undefined)[] = [];
    await round(bucket, collect(seen));
    expect(seen).toEqual(['a']);
  });

  test('an operator’s replay between publishing and marking is a replay', async () => {
    const { conversationId, bucket } = await filled('a', 'b');
    const result = await round(bucket, async (rows) => {
      await log().operator.replay(conversationId, 1, 1);
      return rows.map(() => ({ kind: 'sent' }));
    });
    expect(result).toMatchObject({ picked: 2, sent: 2 });
    expect(await row(conversationId, 1)).toMatchObject({ status: 'pending', replayNo: 1, dispatched: false });
    expect(await row(conversationId, 2)).toMatchObject({ status: 'sent', replayNo: 0 });
    const seen: (string | undefined)[] = [];
    expect(await round(bucket, collect(seen))).toMatchObject({ picked: 1, sent: 1 });
    expect(seen).toEqual(['a']);
    expect(await row(conversationId, 1)).toMatchObject({ status: 'sent', replayNo: 1 });
    expect(await round(bucket, nothing)).toMatchObject({ picked: 0, busy: [] });
  });

  test('an operator’s hand in one of several buckets touches that row alone', async () => {
    const [a, b] = await filledApart(['a1', 'a2'], ['b1', 'b2']);
    const all = [a!.bucket, b!.bucket];
    const result = await rounds(all, async (rows) => {
      await log().operator.replay(a!.conversationId, 2, 2);
      await log().operator.markDead(b!.conversationId, 1);
      return rows.map(() => ({ kind: 'sent' }));
    });
    expect(result).toMatchObject({ picked: 4, sent: 3 });
    expect(await row(a!.conversationId, 1)).toMatchObject({ status: 'sent', replayNo: 0 });
    expect(await row(a!.conversationId, 2)).toMatchObject({ status: 'pending', replayNo: 1 });
    expect(await row(b!.conversationId, 1)).toMatchObject({ status: 'dead' });
    expect(await row(b!.conversationId, 2)).toMatchObject({ status: 'sent', replayNo: 0 });
    // Rows with different replay numbers, in one round.
    await appendTexts(log(), b!.conversationId, b!.owner, ['b3']);
    const seen: (string | undefined)[] = [];
    expect(await rounds(all, collect(seen))).toMatchObject({ picked: 2, sent: 2 });
    expect(seen).toEqual(['a2', 'b3']);
    expect(await row(a!.conversationId, 2)).toMatchObject({ status: 'sent', replayNo: 1 });
  });

  test('after Redis lost its memory the newest rows go again, untouched, once in a while', async () => {
    const { conversationId, bucket } = await filledForResend('old');
    await round(bucket, sendAll);
    await log().operator.passTime(60_000);
    await appendTexts(log(), conversationId, (await ownerOf(conversationId))!, ['a', 'b']);
    await round(bucket, sendAll);
    await appendTexts(log(), conversationId, (await ownerOf(conversationId))!, ['still pending']);

    const seen: (string | undefined)[] = [];
    const resend = (everyMs: number) =>
      log().dispatch.resendBucket(bucket, { ...again, everyMs }, async (rows, epoch) => {
        expect(epoch).toBe(await log().reader.readEpoch());
        seen.push(...textsOf(rows));
      });
    expect(await resend(30_000)).toBe(2);
    expect(seen).toEqual(['a', 'b']);
    expect(await row(conversationId, 2)).toMatchObject({ status: 'sent', replayNo: 0, attempts: 0 });
    expect(await resend(30_000)).toBe(0);
    await log().operator.passTime(31_000);
    expect(await resend(30_000)).toBe(0);
    expect(seen).toEqual(['a', 'b']);
  });

  test('in another life of Redis they go again at once, and only then', async () => {
    const { bucket } = await filledForResend('a', 'b');
    await round(bucket, sendAll);
    const resend = (life: string, reconnected: boolean) =>
      log().dispatch.resendBucket(bucket, { ...again, everyMs: 30_000, life, reconnected }, async () => {});
    // The first life that a bucket sees is no loss, nor is it for a process that has just begun.
    expect([await resend('first', false), await resend('first', false)]).toEqual([0, 0]);
    expect(await resend('second', true)).toBe(2);
    expect([await resend('second', true), await resend('second', false)]).toEqual([0, 0]);
    // Soon after the last time, and by a process that knows of no loss.
    expect(await resend('third', false)).toBe(2);
    expect(await resend('first', true)).toBe(2);
  });

  test('in another life what was dispatched last goes again, however long ago the loss was', async () => {
    const { conversationId, bucket } = await filledForResend('long before');
    await round(bucket, sendAll);
    await log().dispatch.resendBucket(bucket, { ...again, everyMs: 0 }, async () => {});
    await log().operator.passTime(60_000);
    await appendTexts(log(), conversationId, (await ownerOf(conversationId))!, ['last']);
    await round(bucket, sendAll);
    await log().operator.passTime(5 * 60_000);
    const seen: (string | undefined)[] = [];
    const resend = (life: string) =>
      log().dispatch.resendBucket(
        bucket,
        { ...again, everyMs: 30_000, life, reconnected: false },
        async (rows) => {
          seen.push(...textsOf(rows));
        },
      );
    expect(await resend('two')).toBe(1);
    expect(seen).toEqual(['last']);
    // Nothing that long ago is on any stream.
    await log().operator.passTime(6 * 60_000);
    expect(await resend('three')).toBe(0);
    expect(await resend('three')).toBe(0);
  });

  test('however much went out, all of it goes again, in order', async () => {
    const texts = Array.from({ length: 600 }, (_, index) => String(index));
    const { bucket } = await filledForResend(...texts);
    expect(await round(bucket, sendAll, 1000)).toMatchObject({ sent: 600 });
    const seen: (string | undefined)[] = [];
    const resent = await log().dispatch.resendBucket(bucket, { ...again, everyMs: 0 }, async (rows) => {
      seen.push(...textsOf(rows));
    });
    expect(resent).toBe(600);
    expect(seen).toEqual(texts);
  });

  test('a resend that fails is due again', async () => {
    const { bucket } = await filledForResend('a');
    await round(bucket, sendAll);
    const options = { ...again, everyMs: 30_000 };
    const failure = new Error('redis is gone again');
    const failing = log().dispatch.resendBucket(bucket, options, () => Promise.reject(failure));
    await expect(failing).rejects.toBe(failure);
    expect(await log().dispatch.resendBucket(bucket, options, async () => {})).toBe(1);
  });

  test('the backlog counts what waits and what is dead', async () => {
    const before = await log().dispatch.backlog();
    expect(before).toMatchObject({ pending: 0, oldestPendingSeconds: 0 });
    const { conversationId } = await filled('a', 'b', 'c');
    await log().operator.markDead(conversationId, 2);
    const { pending, oldestPendingSeconds, deadRows } = await log().dispatch.backlog();
    expect(pending).toBe(2);
    expect(deadRows).toBe(before.deadRows + 1);
    expect(oldestPendingSeconds).toBeGreaterThanOrEqual(0);
    expect(oldestPendingSeconds).toBeLessThan(60);
  });

  const ownerOf = async (conversationId: string) => {
    const actor = { userId: 'on-call', manage: false, operate: true };
    const members = await log().conversations.listMembers({
      conversationId,
      actor,
      after: undefined,
      limit: 1,
    });
    return members?.[0]?.userId;
  };
}
