import { rowState, type FinalState } from '../final-state.ts';
import type { Judge } from '../judge.ts';
import type { Operation, Reader } from '../model.ts';
import type { Run } from '../run.ts';

/** A reader that has what is to be sent again, and is due it. */
interface Demand {
  readonly operation: Operation;
  readonly reader: Reader;
  readonly from: number;
  readonly to: number;
  /** When each of the places came again, since the command began. */
  readonly came: Map<number, number>;
  answeredAt: number;
  /** The connection ended, the reader was removed or began anew. */
  endedAt: number;
}

/**
 * What an operator has sent again reaches every client that was connected and past it, from the command until a
 * bound. The bus may lose the hint: so only where no fault was there meanwhile.
 */
export const replayLost: Judge = {
  check: 'replay_lost',
  begin(run, report, { replayWithinMs }) {
    const demands: Demand[] = [];
    const byReader = new Map<Reader, Demand[]>();
    const end = (reader: Reader | undefined, at: number): void => {
      if (reader === undefined) return;
      for (const demand of byReader.get(reader) ?? []) demand.endedAt = Math.min(demand.endedAt, at);
      byReader.delete(reader);
    };
    const endAll = (connection: string, at: number): void => {
      if (byReader.size === 0) return;
      for (const reader of run.connection(connection).readers.values()) end(reader, at);
    };
    return {
      operation({ operation: id, kind, phase, at }) {
        const operation = run.operations.get(id)!;
        if (kind !== 'replay' && kind !== 'requeue') return;
        // Places that only the answer names were not known when the readers were looked at.
        if (phase === 'invoke') {
          for (const demand of demandsOf(run, operation)) {
            demands.push(demand);
            byReader.set(demand.reader, [...(byReader.get(demand.reader) ?? []), demand]);
          }
        } else if (phase === 'ok') {
          for (const demand of demands) if (demand.operation === operation) demand.answeredAt = at;
        }
      },
      message({ at, seq, replay = 0 }, reader) {
        if (replay === 0 || byReader.size === 0) return;
        for (const { from, to, came } of byReader.get(reader) ?? []) {
          if (from <= seq && seq <= to && !came.has(seq)) came.set(seq, at);
        }
      },
      member: ({ at }, reader) => end(reader, at),
      subscribed: ({ at, own }, reader) => own && end(reader, at),
      reset: ({ at, connection }) => endAll(connection, at),
      close: ({ at, connection }) => endAll(connection, at),
      finish(final) {
        for (const demand of demands) {
          const { reader, answeredAt } = demand;
          const until = answeredAt + replayWithinMs;
          if (!(until <= Math.min(demand.endedAt, run.endedAt ?? -Infinity))) continue;
          if (run.wasFaulty(demand.operation.invokedAt, until)) continue;
          const missed = findMissed(final, demand, until);
          if (missed === undefined) continue;
          const { connection, conversation } = reader;
          const text = `${missed} was to be sent again, and did not come within ${replayWithinMs} ms`;
          report({ at: answeredAt, connection: connection.id, conversationId: conversation.id, text });
        }
      },
    };
  },
};

function demandsOf(run: Run, operation: Operation): Demand[] {
  return (operation.places ?? []).flatMap(([conversationId, from, to]) =>
    [...run.conversation(conversationId).readers].flatMap((reader) => {
      const cursor = reader.removed || reader.unsubscribed ? 0 : (reader.cursor ?? 0);
      if (cursor < from) return [];
      const came = new Map<number, number>();
      const demand: Demand = {
        operation,
        reader,
        from,
        to: Math.min(to, cursor),
        came,
        answeredAt: Infinity,
        endedAt: Infinity,
      };
      return [demand];
    }),
  );
}

/** The first place that did not come, though the log says that it went out again. */
function findMissed(
  final: FinalState,
  { reader, from, to, came }: Demand,
  until: number,
): number | undefined {
  const { connection, conversation, member } = reader;
  const { rows, members } = final.conversations.get(conversation.id) ?? {};
  if (connection.epoch !== final.epoch || rows === undefined) return undefined;
  const joinedSeq = member === undefined ? 1 : (members?.get(member.userId)?.joinedSeq ?? Infinity);
  for (let seq = Math.max(from, joinedSeq); seq <= to; seq++) {
    const row = rows.get(seq);
    const isDue =
      row !== undefined && rowState(row) === 'ready' && row.status === 'sent' && row.replayNo >= 1;
    if (isDue && !((came.get(seq) ?? Infinity) <= until)) return seq;
  }
  return undefined;
}
