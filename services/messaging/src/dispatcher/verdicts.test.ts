import { describe, expect, it } from 'vitest';
import type { OutboxRow, Verdict } from '../ports.ts';
import { streamMessage } from '../tests/support/stream-messages.ts';
import { afterAppend, failureVerdict, finalVerdicts, firstVerdicts, openRows, parkMs } from './verdicts.ts';

const MAX_ATTEMPTS = 10;

const row = (id: string, conversationId: string, attempts = 0): OutboxRow => {
  return { id, bucket: 0, attempts, message: streamMessage({ conversationId }).message };
};
const tooLarge = (id: string): OutboxRow => ({ id, bucket: 0, attempts: 0, message: undefined });
const sent: Verdict = { kind: 'sent' };

describe('parkMs', () => {
  it('doubles up to half a minute', () => {
    expect([1, 2, 3, 8, 9, 10, 1_000].map(parkMs)).toEqual([200, 400, 800, 25_600, 30_000, 30_000, 30_000]);
  });
});

describe('failureVerdict', () => {
  it('counts the attempt, and buries at the last', () => {
    expect(failureVerdict(row('1', 'a', 0), 'ERR', MAX_ATTEMPTS)).toEqual({
      kind: 'failed',
      error: 'ERR',
      parkMs: 200,
    });
    expect(failureVerdict(row('1', 'a', 8), 'ERR', MAX_ATTEMPTS)).toEqual({
      kind: 'failed',
      error: 'ERR',
      parkMs: 30_000,
    });
    expect(failureVerdict(row('1', 'a', 9), 'ERR', MAX_ATTEMPTS)).toEqual({ kind: 'dead', error: 'ERR' });
    expect(failureVerdict(row('1', 'a', 0), 'ERR', 1)).toEqual({ kind: 'dead', error: 'ERR' });
  });
});

describe('firstVerdicts', () => {
  it('buries what fits no frame before anything is sent', () => {
    expect(firstVerdicts([row('1', 'a'), tooLarge('2')])).toEqual([
      undefined,
      { kind: 'dead', error: 'too_large' },
    ]);
  });
});

describe('openRows', () => {
  const rows = [row('1', 'a'), row('2', 'b'), row('3', 'a'), tooLarge('4'), row('5', 'b')];

  it('has every undecided row at first', () => {
    expect(openRows(rows, firstVerdicts(rows))).toEqual([0, 1, 2, 4]);
  });

  it('lets no row overtake a failed one of its conversation', () => {
    const failed: Verdict = { kind: 'failed', error: 'ERR', parkMs: 1 };
    expect(openRows(rows, [failed, undefined, undefined, undefined, undefined])).toEqual([1, 4]);
    expect(openRows(rows, [sent, { kind: 'dead', error: 'ERR' }, undefined, undefined, undefined])).toEqual([
      2,
    ]);
  });
});

describe('afterAppend', () => {
  const rows = [row('1', 'a'), row('2', 'b'), row('3', 'a')];
  const none = [undefined, undefined, undefined];

  it('takes the first ones for sent', () => {
    expect(afterAppend(rows, none, [0, 1, 2], { appended: 3 }, MAX_ATTEMPTS)).toEqual([sent, sent, sent]);
    expect(
      afterAppend(
        rows,
        none,
        [1, 2],
        { appended: 1, failure: { kind: 'entry', reason: 'ERR' } },
        MAX_ATTEMPTS,
      ),
    ).toEqual([undefined, sent, { kind: 'failed', error: 'ERR', parkMs: 200 }]);
  });

  it.each(['outage', 'connection'] as const)('decides nothing by an %s', (kind) => {
    const after = afterAppend(
      rows,
      none,
      [0, 1, 2],
      { appended: 1, failure: { kind, reason: 'X' } },
      MAX_ATTEMPTS,
    );
    expect(finalVerdicts(after)).toEqual([sent, { kind: 'untouched' }, { kind: 'untouched' }]);
  });
});
