import { describe, expect, it } from 'vitest';
import { type LogItem, type ViewOptions, viewPage } from './log-view.ts';
import type { LogMessage, LogPage, LogRow } from './ports.ts';
import { Sealed } from './sealed.ts';

const CONVERSATION = '11111111-1111-4111-8111-111111111111';

describe('viewPage', () => {
  it('hands on every row of a whole page up to the head', () => {
    expect(view(page({ rows: ready(1, 2, 3), head: 3 }))).toEqual({
      items: ['1', '2', '3'],
      next: 3,
      stop: 'head',
    });
  });

  it('has nothing for a reader at the head', () => {
    expect(view(page({ head: 3 }), { after: 3 })).toEqual({ items: [], next: 3, stop: 'head' });
  });

  it('ends at the last row of an incomplete page, and announces nothing behind it', () => {
    expect(view(page({ rows: ready(1, 2), head: 9, complete: false }))).toEqual({
      items: ['1', '2'],
      next: 2,
      stop: 'page',
    });
  });

  it('leaves out rows that the reader of a shared page has already', () => {
    expect(view(page({ rows: ready(1, 2, 3), head: 3 }), { after: 2 }).items).toEqual(['3']);
  });

  it('announces what lies before the reader joined', () => {
    expect(view(page({ rows: ready(3, 4), head: 4 }), { joinedSeq: 3 }).items).toEqual([
      'not_member 1-2',
      '3',
      '4',
    ]);
  });

  it('announces nothing above the head for a reader who joined at it', () => {
    expect(view(page({ rows: [], head: 4 }), { joinedSeq: 5, after: 1 })).toEqual({
      items: ['not_member 2-4'],
      next: 4,
      stop: 'head',
    });
  });

  it('drops rows of the time before the reader joined', () => {
    expect(view(page({ rows: ready(1, 2, 3), head: 3 }), { joinedSeq: 3 }).items).toEqual([
      'not_member 1-2',
      '3',
    ]);
  });

  it('announces what has expired, behind what was never the reader’s', () => {
    const items = view(page({ rows: ready(6), head: 6, floor: 5 }), { joinedSeq: 3 }).items;
    expect(items).toEqual(['not_member 1-2', 'retention 3-5', '6']);
  });

  it('says retention up to the head when everything has expired', () => {
    expect(view(page({ rows: [], head: 4, floor: 4 }))).toEqual({
      items: ['retention 1-4'],
      next: 4,
      stop: 'head',
    });
  });

  it('keeps what was requeued below the floor', () => {
    const survivors = [message(2), message(4)];
    const items = view(page({ rows: ready(6), head: 6, floor: 5 }), { survivors }).items;
    expect(items).toEqual(['retention 1-1', '2', 'retention 3-3', '4', 'retention 5-5', '6']);
  });

  it('never shows a survivor of the time before the reader joined', () => {
    const survivors = [message(2), message(4)];
    const items = view(page({ rows: [], head: 5, floor: 5 }), { survivors, joinedSeq: 3 }).items;
    expect(items).toEqual(['not_member 1-2', 'retention 3-3', '4', 'retention 5-5']);
  });

  it('announces dead rows, neighbours as one', () => {
    const rows: LogRow[] = [...ready(1), dead(2), dead(3), ...ready(4), dead(5)];
    expect(view(page({ rows, head: 5 })).items).toEqual(['1', 'dead_letter 2-3', '4', 'dead_letter 5-5']);
  });

  it('waits at a row that is being retried', () => {
    const rows: LogRow[] = [...ready(1), { state: 'retrying', seq: 2 }, ...ready(3)];
    expect(view(page({ rows, head: 3 }))).toEqual({ items: ['1'], next: 1, stop: 'retrying' });
  });

  it('suspects a hole before it announces it', () => {
    expect(view(page({ rows: ready(1, 4), head: 4 }))).toEqual({ items: ['1'], next: 1, stop: 'suspect' });
  });

  it('announces a confirmed hole and counts its places', () => {
    const result = viewPage(page({ rows: ready(1, 4), head: 6 }), {
      after: 0,
      joinedSeq: 1,
      confirmed: true,
    });
    expect(result.items.map(print)).toEqual(['1', 'missing 2-3', '4', 'missing 5-6']);
    expect(result).toMatchObject({ missing: 4, next: 6, stop: 'head' });
  });

  it('suspects a complete page that ends below the head', () => {
    expect(view(page({ rows: [], head: 2 }))).toEqual({ items: [], next: 0, stop: 'suspect' });
  });

  it('does not announce a hole behind an incomplete page, even when confirmed', () => {
    const options = { confirmed: true };
    expect(view(page({ rows: ready(1), head: 5, complete: false }), options)).toEqual({
      items: ['1'],
      next: 1,
      stop: 'page',
    });
  });

  it('stops at a retried row behind a confirmed hole', () => {
    const rows: LogRow[] = [...ready(1), { state: 'retrying', seq: 4 }];
    expect(view(page({ rows, head: 4 }), { confirmed: true })).toEqual({
      items: ['1', 'missing 2-3'],
      next: 3,
      stop: 'retrying',
    });
  });
});

function view(log: LogPage, options: Partial<ViewOptions> = {}) {
  const { items, next, stop } = viewPage(log, { after: 0, joinedSeq: 1, confirmed: false, ...options });
  return { items: items.map(print), next, stop };
}

function print(item: LogItem): string {
  return item.kind === 'message' ? String(item.message.seq) : `${item.reason} ${item.from}-${item.to}`;
}

function page(fields: Partial<LogPage>): LogPage {
  return { epoch: 1, head: 0, floor: 0, membersVersion: 1, rows: [], complete: true, ...fields };
}

function ready(...seqs: number[]): LogRow[] {
  return seqs.map((seq) => ({ state: 'ready', seq, message: message(seq) }));
}

function dead(seq: number): LogRow {
  return { state: 'dead', seq };
}

function message(seq: number): LogMessage {
  return {
    conversationId: CONVERSATION,
    seq,
    messageId: CONVERSATION,
    eventId: CONVERSATION,
    eventType: 'MessageCreated',
    occurredAt: 0,
    membersVersion: 1,
    replayNo: 0,
    payload: new Sealed('{}'),
  };
}
