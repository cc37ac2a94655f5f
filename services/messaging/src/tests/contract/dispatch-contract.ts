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
const nothing: Publish = () => Promise.reject(new Error('nothing was to be published'));

export function dispatchContract(log: () => LogUnderTest): void {
  beforeEach(async () => {
    // What earlier tests left behind is out of the way: parked no longer, sent, and long ago.
    await log().operator.passTime(10 * 60_000);
    for (const bucket of await log().dispatch.pendingBuckets()) await round(bucket, sendAll, 100_000);
    await log().operator.passTime(10 * 60_000);
  });

  const round = (bucket: number, publish: Publish, limit = 100) =>
    log().dispatch.dispatchBucket(bucket, { limit }, publish);
  const filled = async (...texts: string[]) => {
    const { conversationId, owner } = await newConversation(log());
    await appendTexts(log(), conversationId, owner, texts);
    return { conversationId, owner, bucket: bucketOf(conversationId) };
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
    expect(result).toEqual({ status: 'done', picked: 3, sent: 3, failed: 0, dead: 0, full: false });
    expect(textsOf(seen)).toEqual(['a', 'b', 'c']);
    expect(seen.map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
    const [page] = await log().reader.readPages([{ conversationId, after: 0, limit: 9, maxBytes: 1e6 }]);
    const read = page!.rows.map((found) => found.state === 'ready' && found.message);
    expect(seen.map(({ message }) => ({ ...message, payload: message!.payload.reveal() }))).toEqual(
      read.map((message) => message && { ...message, payload: message.payload.reveal() }),
    );
    expect(await row(conversationId, 1)).toMatchObject({ status: 'sent', attempts: 0, dispatched: true });
    expect(await round(bucket, nothing)).toMatchObject({ status: 'empty', picked: 0 });
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
    expect(await round(bucket, collect(seen), 2)).toMatchObject({ picked: 2, full: true });
    expect(await round(bucket, collect(seen), 2)).toMatchObject({ picked: 1, full: false });
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
    const { bucket } = await filled('a', 'b');
    const result = await round(bucket, async (rows) => {
      expect(await round(bucket, nothing)).toMatchObject({ status: 'busy', picked: 0 });
      expect(await log().dispatch.resendBucket(bucket, { withinMs: 1000, everyMs: 0 }, async () => {})).toBe(
        0,
      );
      return rows.map(() => ({ kind: 'sent' }));
    });
    expect(result).toMatchObject({ status: 'done', sent: 2 });
    const release = await log().operator.holdBucket(bucket);
    expect(await round(bucket, nothing)).toMatchObject({ status: 'busy' });
    await release();
    expect(await round(bucket, nothing)).toMatchObject({ status: 'empty' });
  });

  test('dispatchers beside one another send each row once, in order', async () => {
    const { bucket } = await filled(...Array.from({ length: 60 }, (_, index) => String(index)));
    const seen: (string | undefined)[] = [];
    const dispatcher = async () => {
      for (;;) {
        const { status } = await round(bucket, collect(seen), 7);
        if (status === 'empty') return;
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
    expect(await round(bucket, nothing)).toMatchObject({ status: 'empty' });

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

  test('a dead row is buried, and later ones go on', async () => {
    const { conversationId, bucket } = await filled('a', 'b');
    const result = await round(bucket, async () => [{ kind: 'dead', error: 'refused' }, { kind: 'sent' }]);
    expect(result).toMatchObject({ sent: 1, dead: 1, failed: 0 });
    expect(await row(conversationId, 1)).toMatchObject({ status: 'dead', attempts: 1, lastError: 'refused' });
    expect(await row(conversationId, 2)).toMatchObject({ status: 'sent' });
    expect(await round(bucket, nothing)).toMatchObject({ status: 'empty' });

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
    expect(await round(bucket, nothing)).toMatchObject({ status: 'empty' });
  });

  test('after Redis lost its memory the newest rows go again, untouched, once in a while', async () => {
    const { conversationId, bucket } = await filled('old');
    await round(bucket, sendAll);
    await log().operator.passTime(60_000);
    await appendTexts(log(), conversationId, (await ownerOf(conversationId))!, ['a', 'b']);
    await round(bucket, sendAll);
    await appendTexts(log(), conversationId, (await ownerOf(conversationId))!, ['still pending']);

    const seen: (string | undefined)[] = [];
    const resend = (everyMs: number) =>
      log().dispatch.resendBucket(bucket, { withinMs: 30_000, everyMs }, async (rows, epoch) => {
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

  test('however much went out, all of it goes again, in order', async () => {
    const texts = Array.from({ length: 600 }, (_, index) => String(index));
    const { bucket } = await filled(...texts);
    expect(await round(bucket, sendAll, 1000)).toMatchObject({ sent: 600 });
    const seen: (string | undefined)[] = [];
    const resent = await log().dispatch.resendBucket(
      bucket,
      { withinMs: 30_000, everyMs: 0 },
      async (rows) => {
        seen.push(...textsOf(rows));
      },
    );
    expect(resent).toBe(600);
    expect(seen).toEqual(texts);
  });

  test('a resend that fails is due again', async () => {
    const { bucket } = await filled('a');
    await round(bucket, sendAll);
    const options = { withinMs: 30_000, everyMs: 30_000 };
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
