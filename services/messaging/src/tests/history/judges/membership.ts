import type { FinalState } from '../final-state.ts';
import type { Judge, Report } from '../judge.ts';
import type { Member, Message } from '../model.ts';
import type { Run } from '../run.ts';

interface Seen {
  readonly at: number;
  readonly conversationId: string;
  readonly connection?: string | undefined;
}

/** No one reads a conversation that they are not in, nor what was committed before they joined (I7). */
export const nonMember: Judge = {
  check: 'non_member',
  begin: (run, report) => ({
    message(event, { member }) {
      if (member !== undefined) judgeBeginning(member, event.seq, event, report);
    },
    read(event, message) {
      judgeBeginning(run.member(message.conversation, event.userId), event.seq, event, report);
    },
    subscribed(event, { member }) {
      if (event.after === undefined || member === undefined) return;
      judgeStanding(member, `a place behind ${event.after}`, event, report);
    },
    gap(event, { member }) {
      if (member !== undefined) judgeStanding(member, `gap ${event.from} to ${event.to}`, event, report);
    },
  }),
};

/** Whoever was never let in is told nothing at all of a conversation. */
function judgeStanding({ userId, adds }: Member, what: string, seen: Seen, report: Report): void {
  if (adds.some(({ phase }) => phase !== 'fail')) return;
  const { at, conversationId, connection } = seen;
  report({ at, conversationId, connection, text: `${what} reached ${userId}, who was never a member` });
}

function judgeBeginning(member: Member, seq: number, seen: Seen, report: Report): void {
  if (member.plainJoinedSeq !== undefined ? seq >= member.plainJoinedSeq : member.unsure) return;
  let from = Infinity;
  for (const { phase, joinedSeq } of member.adds) if (phase !== 'fail') from = Math.min(from, joinedSeq ?? 1);
  if (seq >= from) return;
  const { at, conversationId, connection } = seen;
  const why = from === Infinity ? 'was never a member' : `may read from ${from} on`;
  report({ at, conversationId, connection, text: `message ${seq} reached ${member.userId}, who ${why}` });
}

/** After `member removed` nothing follows on that connection; nothing committed after the removal ever does (I7). */
export const afterRemoval: Judge = {
  check: 'after_removal',
  begin(run, report) {
    const judge = (
      member: Member,
      message: Message,
      epoch: number,
      seen: Seen & { readonly seq: number },
    ): void => {
      note(member, epoch, seen.seq);
      if (member.removals.length === 0 || member.unsure) return;
      const { seq, at, conversationId, connection } = seen;
      if (!isPutOut(member, message, seq)) return;
      report({
        at,
        conversationId,
        connection,
        text: `message ${seq} was posted after ${member.userId} was removed`,
      });
    };
    return {
      message(event, { member, removed, connection }, message) {
        const { at, conversationId, seq } = event;
        if (removed) {
          const text = `message ${seq} followed "member removed"`;
          report({ at, connection: event.connection, conversationId, text });
        } else if (member !== undefined) judge(member, message, connection.epoch, event);
      },
      gap({ at, connection, conversationId, from, to }, { removed }) {
        if (removed)
          report({ at, connection, conversationId, text: `gap ${from} to ${to} followed "member removed"` });
      },
      read(event, message) {
        const member = message.conversation.members.get(event.userId);
        if (member !== undefined) judge(member, message, event.epoch, event);
      },
      finish: (final) => judgeEnds(run, final, report),
    };
  },
};

function note({ sent }: Member, epoch: number, seq: number): void {
  if (epoch > sent.epoch) {
    sent.epoch = epoch;
    sent.seq = seq;
  } else if (epoch === sent.epoch && seq > sent.seq) sent.seq = seq;
}

/** Posted after a removal was answered, and below where the next membership begins, if there is one. */
function isPutOut({ adds, removals }: Member, { firstPostedAt, attempts }: Message, seq: number): boolean {
  if (attempts === 0) return false;
  return removals.some((removal) => {
    if (removal.phase !== 'ok' || removal.answeredAt >= firstPostedAt) return false;
    return !adds.some(
      ({ phase, answeredAt, joinedSeq }) =>
        phase !== 'fail' && answeredAt > removal.invokedAt && (joinedSeq ?? 1) <= seq,
    );
  });
}

/** Where a membership ended, the log knows to the place. */
function judgeEnds(run: Run, final: FinalState, report: Report): void {
  for (const { conversationId, members } of final.conversations.values()) {
    for (const [userId, { leftSeq }] of members) {
      const sent = run.conversations.get(conversationId)?.members.get(userId)?.sent;
      if (leftSeq === undefined || sent?.epoch !== final.epoch || sent.seq <= leftSeq) continue;
      const text = `message ${sent.seq} reached ${userId}, who left at ${leftSeq}`;
      report({ at: undefined, conversationId, text });
    }
  }
}
