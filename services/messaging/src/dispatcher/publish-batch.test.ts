import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import type { OutboxRow, StreamAppend, StreamMessage } from '../ports.ts';
import { ManualClock } from '../tests/support/manual-clock.ts';
import { streamMessage } from '../tests/support/stream-messages.ts';
import { publishBatch, type BatchOptions } from './publish-batch.ts';

type Failing = NonNullable<StreamAppend['failure']>;

/** Rows `a1 b1 a2`: conversation and seq. */
function rowsOf(...places: string[]): OutboxRow[] {
  return places.map((place, i) => ({
    id: String(i),
    bucket: 0,
    attempts: 0,
    message:
      place === '-'
        ? undefined
        : streamMessage({ conversationId: place.slice(0, 1), seq: Number(place.slice(1)) }).message,
  }));
}
const placeOf = ({ message }: StreamMessage) => `${message.conversationId}${message.seq}`;

/** A stream that fails at some entries. */
function stream(failures: Record<string, Failing | undefined> = {}) {
  const appended: string[] = [];
  const calls: number[] = [];
  const append = (entries: readonly StreamMessage[]): Promise<StreamAppend> => {
    calls.push(entries.length);
    const at = entries.findIndex((entry) => failures[placeOf(entry)] !== undefined);
    const taken = at < 0 ? entries : entries.slice(0, at);
    appended.push(...taken.map(placeOf));
    if (at < 0) return Promise.resolve({ appended: entries.length });
    return Promise.resolve({
      appended: at,
      failure: failures[placeOf(entries[at] as StreamMessage)] as Failing,
    });
  };
  return { appended, calls, append };
}
const entry: Failing = { kind: 'entry', reason: 'ERR' };
const broken: Failing = { kind: 'connection', reason: 'CLOSED' };
const outage: Failing = { kind: 'outage', reason: 'OOM' };

function publish(rows: OutboxRow[], append: BatchOptions['append'], oneByOne?: BatchOptions['oneByOne']) {
  return publishBatch(rows, { epoch: 7, maxAttempts: 10, append, oneByOne });
}
const kinds = (result: Awaited<ReturnType<typeof publish>>) =>
  result.verdicts.map((verdict) => verdict.kind).join(' ');

describe('publishBatch', () => {
  it('sends a batch in one append, with the epoch', async () => {
    const { append, calls } = stream();
    const epochs: number[] = [];
    const result = await publish(rowsOf('a1', 'b1'), (entries) => {
      epochs.push(...entries.map(({ epoch }) => epoch));
      return append(entries);
    });
    expect([kinds(result), result.trouble, calls, epochs]).toEqual(['sent sent', undefined, [2], [7, 7]]);
  });

  it('sends nothing of an empty batch, or of rows too large', async () => {
    const { append, calls } = stream();
    expect(kinds(await publish([], append))).toBe('');
    expect((await publish(rowsOf('-'), append)).verdicts).toEqual([{ kind: 'dead', error: 'too_large' }]);
    expect(calls).toEqual([]);
  });

  it('goes on without the conversation of a refused row', async () => {
    const { append, appended } = stream({ a1: entry });
    const result = await publish(rowsOf('b1', 'a1', 'c1', 'a2', 'b2'), append);
    expect(kinds(result)).toBe('sent failed sent untouched sent');
    expect(appended).toEqual(['b1', 'c1', 'b2']);
  });

  it('spends no attempt on an outage', async () => {
    const { append, appended } = stream({ b1: outage });
    const result = await publish(rowsOf('a1', 'b1', 'c1'), append);
    expect([kinds(result), appended]).toEqual(['sent untouched untouched', ['a1']]);
    expect(result.trouble).toMatchObject({ kind: 'outage', reason: 'OOM', row: { id: '1' } });
  });

  it('says at which row a connection broke', async () => {
    const { append } = stream({ c1: broken });
    const result = await publish(rowsOf('a1', '-', 'c1', 'c2'), append);
    expect([kinds(result), result.trouble?.row.id]).toEqual(['sent dead untouched untouched', '2']);
  });

  it('finds the row that breaks connections by sending one at a time', async () => {
    const { append, calls } = stream({ c1: broken });
    const result = await publish(rowsOf('a1', 'b1', 'c1', 'd1'), append, {
      answers: () => Promise.resolve(true),
      clock: systemClock,
    });
    expect(result.verdicts[2]).toEqual({ kind: 'failed', error: 'connection', parkMs: 200 });
    expect([kinds(result), calls, result.trouble]).toEqual([
      'sent sent failed untouched',
      [1, 1, 1],
      undefined,
    ]);
  });

  it('takes a broken connection for an outage when Redis does not answer on another', async () => {
    const { append } = stream({ b1: broken });
    const result = await publish(rowsOf('a1', 'b1'), append, {
      answers: () => Promise.resolve(false),
      clock: systemClock,
    });
    expect([kinds(result), result.trouble?.kind]).toEqual(['sent untouched', 'outage']);
  });

  it('stops going one by one before the transaction times out', async () => {
    const clock = new ManualClock();
    const { append } = stream();
    const slow: BatchOptions['append'] = async (entries) => {
      await clock.advance(1_100);
      return append(entries);
    };
    const result = await publish(rowsOf('a1', 'a2', 'a3', 'a4', 'a5'), slow, {
      answers: () => Promise.resolve(true),
      clock,
    });
    expect(kinds(result)).toBe('sent sent sent untouched untouched');
  });

  it('never breaks the order within a conversation, whatever fails', async () => {
    const batch = fc.array(
      fc.record({
        conversation: fc.constantFrom('a', 'b', 'c'),
        failure: fc.option(fc.constantFrom(entry, broken, outage), { freq: 3, nil: undefined }),
      }),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(batch, fc.boolean(), async (given, cautious) => {
        const seqs = new Map<string, number>();
        const places = given.map(({ conversation }) => {
          const seq = (seqs.get(conversation) ?? 0) + 1;
          seqs.set(conversation, seq);
          return `${conversation}${seq}`;
        });
        const failures = Object.fromEntries(given.map(({ failure }, i) => [places[i] as string, failure]));
        const { append, appended } = stream(failures);
        const oneByOne = cautious ? { answers: () => Promise.resolve(true), clock: systemClock } : undefined;
        const { verdicts } = await publish(rowsOf(...places), append, oneByOne);
        expect(places.filter((_, i) => verdicts[i]?.kind === 'sent')).toEqual(
          places.filter((place) => appended.includes(place)),
        );
        for (const conversation of seqs.keys()) {
          const mine = appended.filter((place) => place.startsWith(conversation));
          expect(mine).toEqual(mine.map((_, i) => `${conversation}${i + 1}`));
        }
      }),
    );
  });
});
