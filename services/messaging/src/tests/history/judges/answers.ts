import type { Judge } from '../judge.ts';

/** A `201` means that the message is committed (I1): the log has it, unless it expired, was deleted or set back. */
export const acceptedLost: Judge = {
  check: 'accepted_lost',
  begin: (run, report) => ({
    finish(final) {
      for (const { id: conversationId, messages } of run.conversations.values()) {
        const conversation = final.conversations.get(conversationId);
        for (const { id, answers, epoch, seq } of messages.values()) {
          const answer = answers?.at(-1);
          if (answer === undefined) continue;
          if (epoch === final.epoch && conversation?.rows.get(seq)?.messageId === id) continue;
          const place = answer.seq === 0 ? { epoch, seq } : answer;
          if (run.isGone(final, { conversationId, epoch: place.epoch, seq: place.seq })) continue;
          report({
            at: undefined,
            conversationId,
            text: `${id} was accepted at ${answer.seq}, and is not there`,
          });
        }
      }
    },
  }),
};

/** … and with the `seq` that was answered. */
export const acceptedSeq: Judge = {
  check: 'accepted_seq',
  begin: (run, report) => ({
    finish(final) {
      for (const { id: conversationId, messages } of run.conversations.values()) {
        const rows = final.conversations.get(conversationId)?.rows;
        for (const { id, answers, epoch, seq } of messages.values()) {
          const answer = answers?.at(-1);
          if (answer === undefined || answer.seq === 0 || answer.seq === seq) continue;
          if (epoch !== final.epoch || rows?.get(seq)?.messageId !== id) continue;
          if (run.isGone(final, { conversationId, epoch: answer.epoch, seq: answer.seq })) continue;
          report({
            at: undefined,
            conversationId,
            text: `${id} was accepted at ${answer.seq}, and is at ${seq}`,
          });
        }
      }
    },
  }),
};

/** The same message again gets the first answer, as long as its row lives; another one gets `409` (I5). */
export const idempotency: Judge = {
  check: 'idempotency',
  begin(run, report) {
    const doubts: { at: number; conversationId: string; epoch: number; seq: number; text: string }[] = [];
    return {
      post_ok({ at, post, seq, epoch = 0, repeat }, message) {
        const conversationId = message.conversation.id;
        const first = message.answers?.at(-1);
        if (first === undefined) {
          if (repeat !== true || message.attempts > 1) return;
          report({ at, conversationId, text: `${message.id}: the first POST was answered as a repeat` });
        } else if (seq !== undefined && seq !== first.seq && epoch >= first.epoch) {
          const survived = first.seq <= run.epochs.survivors(conversationId, first.epoch, epoch);
          const text = `${message.id} was answered ${first.seq}, then ${seq}`;
          if (survived) doubts.push({ at, conversationId, epoch: first.epoch, seq: first.seq, text });
        } else if (run.posts.get(post)!.hash !== first.hash) {
          report({ at, conversationId, text: `${message.id}: another message was accepted under its id` });
        }
      },
      post_fail({ at, code }, { id, conversation, otherHashes }) {
        if (code !== 'message_id_reused' || otherHashes !== undefined) return;
        report({
          at,
          conversationId: conversation.id,
          text: `${id}: the same message was called another one`,
        });
      },
      finish(final) {
        for (const { at, conversationId, epoch, seq, text } of doubts) {
          if (!run.isGone(final, { conversationId, epoch, seq })) report({ at, conversationId, text });
        }
      },
    };
  },
};
