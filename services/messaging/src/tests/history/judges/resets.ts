import type { Judge } from '../judge.ts';

/** A cursor is voided only where it means nothing, and always there: else a device loses what it skips. */
export const resetCause: Judge = {
  check: 'reset_cause',
  begin(run, report) {
    const told = new Set<string>();
    const knownHead = (conversationId: string, epoch: number): number => {
      const known = run.conversations.get(conversationId)?.known;
      return known?.epoch === epoch ? known.seq : 0;
    };
    return {
      reset({ at, connection: id, conversationId, epoch, reason }) {
        const { hello, connect } = run.connection(id);
        const cursors = hello?.cursors ?? [];
        const isCaused =
          reason === 'epoch'
            ? cursors.length > 0 && hello?.epoch !== epoch
            : cursors.some(
                ([conversation, seq]) =>
                  conversation === conversationId && seq > knownHead(conversation, epoch),
              );
        if (isCaused) return;
        report({
          at,
          connection: id,
          conversationId,
          text: `reset (${reason}) of ${connect.client} has no cause`,
        });
      },
      message({ at, connection: id }, { connection }) {
        const { hello, wasReset, epoch } = connection;
        if (
          wasReset ||
          told.has(id) ||
          hello?.epoch === undefined ||
          hello.epoch === epoch ||
          !hello.cursors?.length
        )
          return;
        told.add(id);
        report({
          at,
          connection: id,
          text: `the cursors of epoch ${hello.epoch} were taken for those of ${epoch}`,
        });
      },
    };
  },
};
