import type { FinalState } from '../final-state.ts';
import type { Judge } from '../judge.ts';
import type { Run } from '../run.ts';

/** Nobody meets a message before it is committed: not before its POST, and not one that the log never held. */
export const seenBeforeCommit: Judge = {
  check: 'seen_before_commit',
  begin: (run, report) => ({
    sight({ at, message, seq, by }) {
      if (!run.seesCommits || message.committedAt !== undefined || message.attempts === 0) return;
      const conversationId = message.conversation.id;
      report({ at, conversationId, text: `${message.id} at ${seq} reached ${by} before its commit` });
    },
    post({ at, conversationId }, message) {
      if (message.attempts > 0 || message.seenAt === undefined) return;
      report({
        at,
        conversationId,
        text: `${message.id} was seen ${at - message.seenAt} ms before its POST`,
      });
    },
    finish(final) {
      for (const { id: conversationId, messages } of run.conversations.values()) {
        for (const { id, epoch, seq, seenAt, answers, attempts, refused } of messages.values()) {
          if (seenAt === undefined || answers !== undefined || attempts === refused) continue;
          if (final.conversations.get(conversationId)?.rows.get(seq)?.messageId === id) continue;
          if (epoch === final.epoch && isElsewhere(final, conversationId, id)) continue;
          if (run.isGone(final, { conversationId, epoch, seq })) continue;
          report({ at: seenAt, conversationId, text: `${id} was seen at ${seq}, and the log has it not` });
        }
      }
    },
  }),
};

function isElsewhere(final: FinalState, conversationId: string, id: string): boolean {
  const rows = final.conversations.get(conversationId)?.rows.values() ?? [];
  for (const { messageId } of rows) if (messageId === id) return true;
  return false;
}

/** Of two messages of a conversation, one known before the other's POST began stands lower (I2). */
export const postOrder: Judge = {
  check: 'post_order',
  begin: (_run, report) => ({
    claim({ at, conversation, epoch, seq, message, before }) {
      const { taken } = message;
      if (before !== undefined || taken?.epoch !== epoch || seq > taken.seq) return;
      const text = `${message.id} is at ${seq}, and was posted when ${taken.seq} was taken`;
      report({ at, conversationId: conversation.id, text });
    },
  }),
};

/** The log itself is contiguous: every place above the floor has its row. */
export const logHole: Judge = {
  check: 'log_hole',
  begin: (run, report) => ({
    finish(final) {
      for (const { conversationId, lastSeq, floor, rows } of final.conversations.values()) {
        const places = run.conversations.get(conversationId)?.books.get(final.epoch);
        for (let seq = floor + 1; seq <= lastSeq; seq++) {
          // Whose place it was is known: then that one is missed, by name.
          if (rows.has(seq) || places?.[seq] !== undefined) continue;
          if (wasAnswered(run, final.epoch, conversationId, seq)) continue;
          if (run.wasTouched('delete_row', conversationId, seq)) continue;
          report({ at: undefined, conversationId, text: `the log has no row ${seq}` });
        }
        for (const seq of rows.keys()) {
          if (seq <= lastSeq) continue;
          report({ at: undefined, conversationId, text: `row ${seq} is above the counter's ${lastSeq}` });
        }
      }
    },
  }),
};

function wasAnswered(run: Run, epoch: number, conversationId: string, seq: number): boolean {
  for (const { answers } of run.conversations.get(conversationId)?.messages.values() ?? []) {
    const answer = answers?.at(-1);
    if (answer?.seq === seq && seq <= run.epochs.survivors(conversationId, answer.epoch, epoch)) return true;
  }
  return false;
}
