import type { Judge } from '../judge.ts';

/** On every connection a conversation's seq strictly increases, replays apart (I2). */
export const stepBack: Judge = {
  check: 'step_back',
  begin: (_run, report) => ({
    message({ at, connection, conversationId, seq, replay = 0 }, { cursor, removed }) {
      if (cursor === undefined || seq > cursor || replay > 0 || removed) return;
      report({ at, connection, conversationId, text: `message ${seq} came again, behind ${cursor}` });
    },
  }),
};

/** A missing message is announced by a gap, never skipped in silence (I2). */
export const silentGap: Judge = {
  check: 'silent_gap',
  begin: (_run, report) => ({
    message({ at, connection, conversationId, seq, replay = 0 }, { cursor }) {
      if (cursor === undefined || seq <= cursor + 1 || replay > 0) return;
      report({ at, connection, conversationId, text: `after ${cursor} came message ${seq}, and no gap` });
    },
  }),
};

/** No frame lies above the cursor + 1, be it a replay or a gap; nor is there one before anything says where it begins. */
export const aboveCursor: Judge = {
  check: 'above_cursor',
  begin: (_run, report) => ({
    message({ at, connection, conversationId, seq, replay = 0 }, { cursor, removed }) {
      if (cursor === undefined) {
        if (!removed)
          report({ at, connection, conversationId, text: `message ${seq} came without a beginning` });
      } else if (replay > 0 && seq > cursor + 1) {
        report({ at, connection, conversationId, text: `replay ${seq} came above ${cursor} + 1` });
      }
    },
    gap({ at, connection, conversationId, from, to }, { cursor, removed }) {
      if (cursor === undefined ? removed : from <= cursor + 1 && from <= to) return;
      const where = cursor === undefined ? 'without a beginning' : `above ${cursor} + 1`;
      report({ at, connection, conversationId, text: `gap ${from} to ${to} came ${where}` });
    },
  }),
};

/** The client made of each frame what the contract says: its rule is judged by its effects. */
export const clientRule: Judge = {
  check: 'client_rule',
  begin: (_run, report) => ({
    message({ at, connection, conversationId, seq, effect = 'deliver' }, { cursor, disturbed }) {
      if (disturbed) return;
      const isRepeat = cursor !== undefined && seq <= cursor;
      if (isRepeat ? effect === 'drop' || effect === 'deliver_late' : effect === expected(cursor, seq))
        return;
      report({ at, connection, conversationId, text: `message ${seq} at cursor ${cursor}: ${effect}` });
    },
    gap({ at, connection, conversationId, from, to, effect = 'moved' }, { cursor, disturbed }) {
      if (disturbed) return;
      const isRepeat = cursor !== undefined && from <= cursor + 1 && to <= cursor;
      if (effect === (isRepeat ? 'drop' : expected(cursor, from) === 'fault' ? 'fault' : 'moved')) return;
      report({ at, connection, conversationId, text: `gap ${from} to ${to} at cursor ${cursor}: ${effect}` });
    },
  }),
};

function expected(cursor: number | undefined, seq: number): 'deliver' | 'fault' {
  return cursor === undefined || seq > cursor + 1 ? 'fault' : 'deliver';
}
