import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seatedAt, step, UNSEATED, type ConversationEvent, type ConversationState } from './cursor-rule.ts';

const message = (seq: number): ConversationEvent => ({ type: 'message', seq });
const gap = (from: number, to: number, reason = 'missing'): ConversationEvent => ({
  type: 'gap',
  from,
  to,
  reason,
});
const member =
  (change: string) =>
  (head: number, version: number): ConversationEvent => ({
    type: 'member',
    change,
    head,
    members_version: version,
  });
const added = member('added');
const removed = member('removed');
const subscribed = (after: number, own = false): ConversationEvent => ({ type: 'subscribed', after, own });

/** Applies events in turn: the effects, and where they lead. */
function play(from: ConversationState, ...events: ConversationEvent[]) {
  let state = from;
  const effects = events.map((event) => {
    const { next, effect } = step(state, event);
    state = next;
    return effect;
  });
  return { state, effects };
}

describe('a message', () => {
  test('at cursor + 1 is handed on, the rest below is dropped', () => {
    const { state, effects } = play(seatedAt(4), message(5), message(5), message(1), message(6));
    expect(effects).toEqual(['deliver', 'drop', 'drop', 'deliver']);
    expect(state.cursor).toBe(6);
  });

  test('above cursor + 1 is a fault and changes nothing', () => {
    expect(step(seatedAt(4), message(6))).toEqual({ next: seatedAt(4), effect: 'fault' });
  });

  test('before any seat is a fault', () => {
    expect(step(UNSEATED, message(1))).toEqual({ next: UNSEATED, effect: 'fault' });
  });
});

describe('a gap', () => {
  test('that reaches the cursor moves it to its end, from wherever it begins', () => {
    for (const from of [1, 4, 5]) {
      const { state, effects } = play(seatedAt(4), gap(from, 9), message(10));
      expect(effects).toEqual(['moved', 'deliver']);
      expect(state.openRanges).toEqual([]);
    }
  });

  test('that ends at or below the cursor is a repeat', () => {
    expect(play(seatedAt(4), gap(1, 4, 'dead_letter'), gap(2, 3)).effects).toEqual(['drop', 'drop']);
  });

  test('that leaves a hole, is upside down or comes before any seat is a fault', () => {
    expect(play(seatedAt(4), gap(6, 9), gap(5, 4)).effects).toEqual(['fault', 'fault']);
    expect(step(UNSEATED, gap(1, 4)).effect).toBe('fault');
  });

  test('of dead letters is remembered from the old cursor + 1', () => {
    expect(play(seatedAt(4), gap(2, 9, 'dead_letter')).state.openRanges).toEqual([[5, 9]]);
  });

  test.each(['retention', 'not_member', 'missing', 'a later reason'])('for %s is not', (reason) => {
    expect(play(seatedAt(4), gap(5, 9, reason)).state).toEqual(seatedAt(9));
  });
});

describe('a dead letter that an operator requeued', () => {
  const gone = play(seatedAt(4), gap(5, 9, 'dead_letter'), message(10)).state;

  test('is handed on late, once, and leaves its range', () => {
    const { state, effects } = play(
      gone,
      message(7),
      message(7),
      message(5),
      message(9),
      message(10),
      message(4),
    );
    expect(effects).toEqual(['deliver_late', 'drop', 'deliver_late', 'deliver_late', 'drop', 'drop']);
    expect(state.openRanges).toEqual([
      [6, 6],
      [8, 8],
    ]);
    expect(play(state, message(6), message(8)).state).toEqual(seatedAt(10));
  });

  test('of each range', () => {
    const { state } = play(gone, gap(11, 11, 'dead_letter'), message(12));
    expect(state.openRanges).toEqual([
      [5, 9],
      [11, 11],
    ]);
    expect(play(state, message(11)).state.openRanges).toEqual([[5, 9]]);
  });
});

describe('membership', () => {
  test('added begins after its head', () => {
    const { state, effects } = play(UNSEATED, added(20, 3), message(21));
    expect(effects).toEqual(['joined', 'deliver']);
    expect(state).toEqual({ ...seatedAt(21), membersVersion: 3 });
  });

  test('added moves up, never down', () => {
    expect(play(seatedAt(4), added(20, 3)).state.cursor).toBe(20);
    expect(play(seatedAt(30), added(20, 3)).state.cursor).toBe(30);
  });

  test('removed forgets cursor and ranges, not its version', () => {
    const { state, effects } = play(seatedAt(9, [[2, 3]]), removed(9, 5), message(10));
    expect(effects).toEqual(['left', 'fault']);
    expect(state).toEqual({ ...UNSEATED, membersVersion: 5 });
  });

  test('news that are not new are ignored', () => {
    const { state, effects } = play(
      seatedAt(9),
      added(9, 5),
      removed(9, 5),
      removed(9, 4),
      message(10),
      removed(10, 6),
    );
    expect(effects).toEqual(['joined', 'drop', 'drop', 'deliver', 'left']);
    expect(play(state, added(8, 5)).effects).toEqual(['drop']);
    expect(play(state, added(12, 7), message(13)).effects).toEqual(['joined', 'deliver']);
  });

  test('a change it does not know is passed over', () => {
    expect(play(seatedAt(3), member('muted')(50, 9), message(4)).effects).toEqual(['drop', 'deliver']);
  });
});

describe('subscribed', () => {
  test('sets the cursor where there is none', () => {
    expect(play(UNSEATED, subscribed(7), message(8)).effects).toEqual(['seated', 'deliver']);
  });

  test('above a cursor that it was not asked with is a fault: what lies between would never come', () => {
    expect(step(seatedAt(5), subscribed(9))).toEqual({ next: seatedAt(5), effect: 'fault' });
    expect(play(seatedAt(5), subscribed(9), subscribed(5, true), message(6)).effects).toEqual([
      'fault',
      'seated',
      'deliver',
    ]);
  });

  test('leaves a cursor alone that was not asked about', () => {
    const { state, effects } = play(seatedAt(5), subscribed(5), message(6));
    expect(effects).toEqual(['drop', 'deliver']);
    expect(state.cursor).toBe(6);
  });

  test('sets it as the answer to the own subscribe, up or down', () => {
    expect(play(seatedAt(5), subscribed(9, true), message(10)).effects).toEqual(['seated', 'deliver']);
    expect(play(seatedAt(5), subscribed(2, true), message(3)).effects).toEqual(['seated', 'deliver']);
  });

  test('below a range that was open cuts it there, since its end comes again', () => {
    const open = seatedAt(20, [
      [2, 3],
      [8, 12],
      [15, 16],
    ]);
    expect(play(open, subscribed(9, true)).state.openRanges).toEqual([
      [2, 3],
      [8, 9],
    ]);
  });

  test('sets it after a reset', () => {
    const { state, effects } = play(seatedAt(9, [[2, 3]]), { type: 'reset' }, subscribed(4), message(5));
    expect(effects).toEqual(['reset', 'seated', 'deliver']);
    expect(state).toEqual(seatedAt(5));
  });

  test('that was refused for good forgets the cursor, otherwise not', () => {
    expect(play(seatedAt(9, [[2, 3]]), { type: 'refused', code: 'conversation_not_found' }).state).toEqual(
      UNSEATED,
    );
    expect(play(seatedAt(9), { type: 'refused', code: 'overloaded' }).state).toEqual(seatedAt(9));
  });
});

test('between a reset and its subscribed nothing can come', () => {
  expect(play(seatedAt(9), { type: 'reset' }, message(10), gap(10, 11)).effects).toEqual([
    'reset',
    'fault',
    'fault',
  ]);
});

const smallSeq = fc.integer({ min: 0, max: 12 });
const reason = fc.constantFrom('dead_letter', 'dead_letter', 'retention', 'missing');
const anyEvent: fc.Arbitrary<ConversationEvent> = fc.oneof(
  { weight: 8, arbitrary: smallSeq.map(message) },
  { weight: 4, arbitrary: fc.tuple(smallSeq, smallSeq, reason).map(([from, to, why]) => gap(from, to, why)) },
  { weight: 1, arbitrary: fc.tuple(smallSeq, smallSeq).map(([head, version]) => added(head, version)) },
  { weight: 1, arbitrary: fc.tuple(smallSeq, smallSeq).map(([head, version]) => removed(head, version)) },
  { weight: 1, arbitrary: fc.tuple(smallSeq, fc.boolean()).map(([after, own]) => subscribed(after, own)) },
  { weight: 1, arbitrary: fc.constant<ConversationEvent>({ type: 'reset' }) },
);

test('whatever a server sends: no repeat but of open ranges, no order broken, nothing skipped in silence', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
      let state: ConversationState = UNSEATED;
      /** Where the client stands by the plainest book-keeping: the last seq, and each dead one by itself. */
      let last: number | undefined;
      let dead = new Set<number>();
      for (const event of events) {
        const { next, effect } = step(state, event);
        if (effect === 'deliver' && event.type === 'message') {
          expect(event.seq).toBe((last as number) + 1);
          last = event.seq;
        } else if (effect === 'deliver_late' && event.type === 'message') {
          expect(dead.delete(event.seq)).toBe(true);
        } else if (effect === 'moved' && event.type === 'gap') {
          expect(event.from).toBeLessThanOrEqual((last as number) + 1);
          const first = (last as number) + 1;
          if (event.reason === 'dead_letter') for (let seq = first; seq <= event.to; seq++) dead.add(seq);
          last = event.to;
        } else if (effect === 'seated' && event.type === 'subscribed') {
          last = event.after;
          dead = new Set([...dead].filter((seq) => seq <= event.after));
        } else if (effect === 'joined' && event.type === 'member') {
          last = Math.max(last ?? 0, event.head);
        } else if (effect === 'left' || effect === 'reset') {
          last = undefined;
          dead = new Set();
        } else if (event.type === 'message') {
          // Neither handed on: it was a repeat, or it would have broken the order.
          const isRepeat = last !== undefined && event.seq <= last && !dead.has(event.seq);
          expect(effect).toBe(isRepeat ? 'drop' : 'fault');
          if (effect === 'fault') expect(last === undefined || event.seq > last + 1).toBe(true);
        }
        if (effect === 'fault') expect(next).toBe(state);
        expect(next.cursor).toBe(last);
        const open = next.openRanges.flatMap(([from, to]) =>
          Array.from({ length: to - from + 1 }, (_, i) => from + i),
        );
        expect(open).toEqual([...dead].sort((a, b) => a - b));
        state = next;
      }
    }),
    { numRuns: 2000 },
  );
});

test('an honest server is never at fault: every message arrives once, in order, dead ones announced', () => {
  const log = fc.array(fc.constantFrom('alive', 'alive', 'dead', 'expired'), { minLength: 1, maxLength: 25 });
  const noise = fc.infiniteStream(fc.nat());
  fc.assert(
    fc.property(log, noise, (rows, random) => {
      const draw = (below: number): number => Number(random.next().value) % below;
      const handedOn: number[] = [];
      const late: number[] = [];
      let state = seatedAt(0);
      const send = (event: ConversationEvent): void => {
        const { next, effect } = step(state, event);
        expect(effect).not.toBe('fault');
        if (effect === 'deliver' && event.type === 'message') handedOn.push(event.seq);
        if (effect === 'deliver_late' && event.type === 'message') late.push(event.seq);
        state = next;
      };
      for (let sent = 0; sent < rows.length;) {
        // Repeats of what came before: re-sent copies, replays, and dead letters that were requeued.
        for (let i = draw(4); i > 0 && sent > 0; i--) {
          const seq = 1 + draw(sent);
          if (rows[seq - 1] === 'expired') send(gap(seq, seq, 'retention'));
          else send(message(seq));
        }
        const row = rows[sent];
        let run = 1;
        while (row !== 'alive' && rows[sent + run] === row && draw(2) === 0) run++;
        if (row === 'alive') send(message(sent + 1));
        else send(gap(1 + draw(sent + 1), sent + run, row === 'dead' ? 'dead_letter' : 'retention'));
        sent += run;
      }
      const places = (kind: string): number[] => rows.flatMap((row, i) => (row === kind ? [i + 1] : []));
      expect(handedOn).toEqual(places('alive'));
      expect(new Set(late).size).toBe(late.length);
      for (const seq of late) expect(rows[seq - 1]).toBe('dead');
      expect(state.cursor).toBe(rows.length);
    }),
    { numRuns: 1000 },
  );
});
