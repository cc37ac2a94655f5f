import { rowState, type FinalConversation, type FinalState } from '../final-state.ts';
import type { HistoryEventOf } from '../history.ts';
import type { Judge } from '../judge.ts';
import type { Member, Reader } from '../model.ts';
import type { Run } from '../run.ts';

interface Announced {
  readonly gap: HistoryEventOf<'gap'>;
  readonly reader: Reader;
}

/** What a gap announces is so, and for the reason that it gives (I9). The same gap to many is judged once. */
export const gapCause: Judge = {
  check: 'gap_cause',
  begin(run, report) {
    const announced = new Map<string, Announced>();
    return {
      gap(gap, reader) {
        const whose = gap.reason === 'not_member' ? reader.connection.connect.userId : '';
        const key = `${gap.conversationId} ${reader.connection.epoch} ${gap.from} ${gap.to} ${gap.reason} ${whose}`;
        if (!announced.has(key)) announced.set(key, { gap, reader });
      },
      finish(final) {
        for (const { gap, reader } of announced.values()) {
          // What a log that was set back looked like, nobody knows any more.
          if (reader.connection.epoch !== final.epoch) continue;
          const wrong = findWrong(run, final, gap, reader.member);
          if (wrong === undefined) continue;
          const { at, connection, conversationId, from, to, reason } = gap;
          report({ at, connection, conversationId, text: `gap ${from} to ${to} (${reason}): ${wrong}` });
        }
      },
    };
  },
};

/** What is wrong with a gap, in words. */
function findWrong(
  run: Run,
  final: FinalState,
  { at, conversationId, from, to, reason }: HistoryEventOf<'gap'>,
  member: Member | undefined,
): string | undefined {
  const conversation = final.conversations.get(conversationId);
  if (conversation === undefined || to > conversation.lastSeq) return 'the log has no such places';
  if (reason === 'retention') {
    if (to > conversation.floor) return `the floor is ${conversation.floor}`;
    const isEarly = run.seesExpiry && !run.wasTouched('prune', conversationId, to, at);
    return isEarly ? `${to} had not expired yet` : undefined;
  }
  if (reason === 'not_member') return wasAway(conversation, to, member) ? undefined : 'they were members';
  if (reason !== 'dead_letter' && reason !== 'missing') return 'there is no such reason';
  for (let seq = from; seq <= to; seq++) {
    const isSo = reason === 'missing' ? isMissing(run, conversation, seq) : wasDead(run, conversation, seq);
    if (!isSo) return `${seq} was not ${reason === 'missing' ? 'missing' : 'dead'}`;
  }
  return undefined;
}

function wasAway(conversation: FinalConversation, to: number, member: Member | undefined): boolean {
  if (member === undefined) return false;
  const joined = [conversation.members.get(member.userId)?.joinedSeq ?? 0];
  for (const { phase, joinedSeq } of member.adds) if (phase !== 'fail') joined.push(joinedSeq ?? Infinity);
  return member.unsure || to < Math.max(...joined);
}

/** What has expired since is not missing: the floor was there before the row went. */
function isMissing(run: Run, { conversationId, floor, rows }: FinalConversation, seq: number): boolean {
  return (seq > floor && !rows.has(seq)) || run.wasTouched('delete_row', conversationId, seq);
}

/** A row that was dead and is not any more has been requeued: its replay_no says so. */
function wasDead(run: Run, { conversationId, floor, rows }: FinalConversation, seq: number): boolean {
  const row = rows.get(seq);
  if (row === undefined) {
    if (run.wasTouched('delete_row', conversationId, seq)) return true;
    // As a dead letter it would have outlived the others.
    return seq <= floor && (!run.seesExpiry || run.wasTouched('requeue', conversationId, seq));
  }
  if (rowState(row) === 'dead') return true;
  return row.replayNo >= 1 && run.wasTouched('requeue', conversationId, seq);
}
