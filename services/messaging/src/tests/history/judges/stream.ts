import { rowState } from '../final-state.ts';
import type { Judge } from '../judge.ts';

/** What has not been on the stream yet goes on it in the order of the conversation; copies and replays do not count. */
export const streamOrder: Judge = {
  check: 'stream_order',
  begin(_run, report) {
    const tips = new Map<string, { epoch: number; seq: number; seen: Set<number> }>();
    return {
      entry({ at, conversationId, seq, epoch, replay, resent }) {
        let tip = tips.get(conversationId);
        if (tip === undefined || tip.epoch < epoch) {
          tips.set(conversationId, (tip = { epoch, seq: 0, seen: new Set() }));
        }
        if (tip.epoch > epoch || tip.seen.has(seq)) return;
        tip.seen.add(seq);
        if (seq > tip.seq) tip.seq = seq;
        else if (replay === 0 && resent === 0) {
          report({ at, conversationId, text: `entry ${seq} was overtaken by ${tip.seq}` });
        }
      },
    };
  },
};

/** What is marked sent is on the stream, a replay of it too. */
export const streamLoss: Judge = {
  check: 'stream_loss',
  begin(run, report) {
    /** Each with its last replay. */
    const seen = new Map<object, number>();
    return {
      entry: ({ replay }, message) => void seen.set(message, Math.max(seen.get(message) ?? 0, replay)),
      finish(final) {
        const since = run.observedSince;
        if (since === undefined) return;
        for (const { conversationId, rows } of final.conversations.values()) {
          const messages = run.conversations.get(conversationId)?.messages;
          for (const { seq, status, messageId, replayNo } of rows.values()) {
            const message = messages?.get(messageId);
            if (status !== 'sent' || message === undefined) continue;
            const replay = seen.get(message) ?? -1;
            if (replay >= replayNo) continue;
            if (message.attempts === 0 || message.firstPostedAt < since) continue;
            report({
              at: undefined,
              conversationId,
              text: `row ${seq} is marked sent, and ${replay < 0 ? 'was' : `its replay ${replayNo} was`} never on the stream`,
            });
          }
        }
      },
    };
  },
};

/** Whatever is committed goes on the stream, once the faults are over. */
export const undispatched: Judge = {
  check: 'undispatched',
  begin: (run, report, { settleWithinMs }) => ({
    finish(final, ended) {
      if (!ended || run.observedSince === undefined) return;
      const faultsEndedAt = run.faultsEndedAt();
      for (const { conversationId, rows } of final.conversations.values()) {
        const { lastPostAt } = run.conversation(conversationId);
        if (!(run.endedAt! - Math.max(faultsEndedAt, lastPostAt) > settleWithinMs)) continue;
        // Behind a row that is being retried everything waits.
        const all = [...rows.values()];
        if (all.some((row) => rowState(row) === 'retrying')) continue;
        const { length } = all.filter(({ status }) => status === 'pending');
        if (length === 0) continue;
        report({
          at: undefined,
          conversationId,
          text: `${length} rows are pending, and nobody dispatches them`,
        });
      }
    },
  }),
};
