import type { Judge } from '../judge.ts';

/** Within an epoch a place never names two messages (I4). */
export const twoAtOnePlace: Judge = {
  check: 'two_at_one_place',
  begin: (_run, report) => ({
    claim({ at, conversation, epoch, seq, message, holder }) {
      if (holder === undefined || holder === message) return;
      const text = `epoch ${epoch} seq ${seq} is ${message.id} and was ${holder.id}`;
      report({ at, conversationId: conversation.id, text });
    },
  }),
};

/** A message has one place in its conversation (I5), for as long as its row lives. */
export const oneAtTwoPlaces: Judge = {
  check: 'one_at_two_places',
  begin(run, report) {
    const doubts: {
      at: number | undefined;
      conversationId: string;
      id: string;
      epoch: number;
      seqs: number[];
    }[] = [];
    return {
      claim({ at, conversation, epoch, seq, message, before }) {
        if (before === undefined || before === seq) return;
        doubts.push({ at, conversationId: conversation.id, id: message.id, epoch, seqs: [before, seq] });
      },
      finish(final) {
        for (const { at, conversationId, id, epoch, seqs } of doubts) {
          // Once its row is gone, the same message is a new one.
          if (run.isGone(final, { conversationId, epoch, seq: Math.min(...seqs) })) continue;
          report({ at, conversationId, text: `${id} is at ${seqs.join(' and at ')}` });
        }
      },
    };
  },
};

/** Nobody meets a message that nobody posted, or whose every POST was refused. */
export const neverSent: Judge = {
  check: 'never_sent',
  begin: (run, report) => ({
    finish() {
      for (const { id: conversationId, messages } of run.conversations.values()) {
        for (const { id, epoch, seq, attempts, refused, refusedWith, seenAt } of messages.values()) {
          if (epoch === 0 || attempts > refused) continue;
          const why = attempts === 0 ? 'nobody posted it' : `its POST was refused: ${refusedWith}`;
          report({ at: seenAt, conversationId, text: `${id} is at ${seq}: ${why}` });
        }
      }
    },
  }),
};

/** A payload reaches everybody as it was posted. */
export const changedBytes: Judge = {
  check: 'changed_bytes',
  begin: (run, report) => ({
    sight({ at, message, hash, seq, by }) {
      const wanted = message.seenHash ?? message.hash;
      if (wanted === undefined || hash === wanted) return;
      if (message.seenHash === undefined && message.otherHashes?.has(hash)) return;
      const conversationId = message.conversation.id;
      report({
        at,
        conversationId,
        text: `${message.id} at ${seq} came as ${hash} to ${by}, not as ${wanted}`,
      });
    },
    finish(final) {
      for (const { conversationId, rows } of final.conversations.values()) {
        const messages = run.conversations.get(conversationId)?.messages;
        for (const row of rows.values()) {
          const message = messages?.get(row.messageId);
          const answer = message?.answers?.at(-1);
          const survivors = run.epochs.survivors(conversationId, answer?.epoch ?? 0, final.epoch);
          const answered = answer !== undefined && answer.seq <= survivors ? answer.hash : undefined;
          const wanted = answered ?? message?.seenHash ?? message?.hash;
          if (wanted === undefined || wanted === row.hash) continue;
          if (message?.otherHashes !== undefined && answered === undefined) continue;
          report({ at: undefined, conversationId, text: `row ${row.seq} is ${row.hash}, not ${wanted}` });
        }
      }
    },
  }),
};
