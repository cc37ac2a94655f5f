import { followed } from '../followed.ts';
import type { Judge } from '../judge.ts';

/** After the last fault and the last message everybody is at the head within a bound. */
export const settling: Judge = {
  check: 'settling',
  begin: (run, report, { settleWithinMs }) => ({
    finish(final, ended) {
      if (!ended) return;
      const faultsEndedAt = run.faultsEndedAt();
      for (const { connection, conversation, last, reader } of followed(run, final)) {
        if (reader?.cursor === undefined || reader.cursor < last) continue;
        const joinedAt = reader.member?.adds.at(-1)?.answeredAt ?? -Infinity;
        const since = Math.max(
          faultsEndedAt,
          reader.conversation.lastPostAt,
          connection.readyAt ?? 0,
          reader.seatedAt,
          joinedAt,
        );
        const tookMs = reader.movedAt - since;
        if (!(tookMs > settleWithinMs)) continue;
        report({
          at: reader.movedAt,
          connection: connection.id,
          conversationId: conversation.conversationId,
          text: `took ${Math.round(tookMs)} ms to be at the head, ${last}`,
        });
      }
      for (const { id, readyAt, closedAt, connect } of run.connections.values()) {
        const since = Math.max(faultsEndedAt, connect.at);
        if (readyAt !== undefined || closedAt !== undefined || run.endedAt! - since <= settleWithinMs)
          continue;
        report({ at: connect.at, connection: id, text: `${connect.client} never became ready` });
      }
    },
  }),
};
