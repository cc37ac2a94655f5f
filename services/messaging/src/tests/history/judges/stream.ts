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

/** What is marked sent is on the stream. */
export const streamLoss: Judge = {
  check: 'stream_loss',
  begin(run, report) {
    const seen = new Set<object>();
    return {
      entry: (_event, message) => void seen.add(message),
      finish(final) {
        const since = run.observedSince;
        if (since === undefined) return;
        for (const { conversationId, rows } of final.conversations.values()) {
          const messages = run.conversations.get(conversationId)?.messages;
          for (const { seq, status, messageId } of rows.values()) {
            const message = messages?.get(messageId);
            if (status !== 'sent' || message === undefined || seen.has(message)) continue;
            if (message.attempts === 0 || message.firstPostedAt < since) continue;
            report({
              at: undefined,
              conversationId,
              text: `row ${seq} is marked sent, and was never on the stream`,
            });
          }
        }
      },
    };
  },
};
