import type { CursorEntry } from '@sanctum/protocol';
import type { FinalState } from '../final-state.ts';
import type { Judge } from '../judge.ts';
import type { Connection } from '../model.ts';
import type { Run } from '../run.ts';

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
      finish(final, ended) {
        if (!ended) return;
        for (const connection of run.connections.values()) {
          if (connection.closedAt !== undefined || connection.wasReset) continue;
          for (const [conversationId, cursor] of aheadOf(run, connection, final)) {
            const text = `cursor ${cursor} was ahead of the log, and never voided`;
            report({ at: connection.readyAt, connection: connection.id, conversationId, text });
          }
        }
      },
    };
  },
};

/** Cursors that a connection still goes by, and that named nothing yet when it became ready. */
function* aheadOf(
  run: Run,
  { hello, epoch, readyAt = Infinity, readers }: Connection,
  final: FinalState,
): Generator<CursorEntry> {
  if (hello?.epoch !== epoch || epoch !== final.epoch) return;
  for (const [conversationId, cursor] of hello.cursors ?? []) {
    const conversation = final.conversations.get(conversationId);
    const isFollowed = readers.get(conversationId)?.cursor !== undefined;
    if (conversation === undefined || !isFollowed) continue;
    const place = { conversationId, epoch, seq: cursor };
    if (cursor > conversation.lastSeq || run.isYounger(place, readyAt)) yield [conversationId, cursor];
  }
}
