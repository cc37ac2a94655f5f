import type { FinalState } from '../final-state.ts';
import { followed } from '../followed.ts';
import type { Judge, Report } from '../judge.ts';
import type { Member, Reader } from '../model.ts';
import type { Run } from '../run.ts';

interface Seat {
  readonly at: number;
  readonly reader: Reader;
  /** Where delivery began. */
  readonly after: number;
  readonly epoch: number;
  /** What the client has: it began too high, unless what lies between is not for this reader. */
  readonly has: number;
}

interface Joining {
  readonly at: number;
  readonly member: Member;
  readonly reader: Reader;
  readonly seq: number;
}

/**
 * Every committed message reaches every connected, present member (I3): who is connected at the end is at the head
 * (or before a row that is being retried), and nobody was made to begin behind what was his.
 */
export const loss: Judge = {
  check: 'loss',
  begin(run, report) {
    const seats: Seat[] = [];
    const joinings: Joining[] = [];
    return {
      subscribed({ at, own, after }, reader) {
        if (after === undefined || (!own && reader.cursor !== undefined)) return;
        const asked = own ? reader.asked : (reader.connection.hello?.withoutCursor ?? 'head');
        if (asked === undefined) return;
        const has = asked === 'head' ? Infinity : asked === 'start' ? 0 : asked;
        const { epoch } = reader.connection;
        if (after > has || asked === 'head') seats.push({ at, reader, after, epoch, has });
      },
      member({ at, change, seq }, reader) {
        if (change === 'added' && reader.member !== undefined)
          joinings.push({ at, member: reader.member, reader, seq });
      },
      finish(final, ended) {
        for (const seat of seats) judgeSeat(run, seat, final, report);
        for (const joining of joinings) judgeJoining(joining, final, report);
        if (!ended) return;
        for (const { connection, conversation, last, reader } of followed(run, final)) {
          const { conversationId } = conversation;
          const tell = (text: string): void =>
            report({ at: undefined, connection: connection.id, conversationId, text });
          if (connection.epoch !== final.epoch) tell(`still in epoch ${connection.epoch}`);
          else if (reader?.cursor === undefined) tell('a present member was never told of it');
          else if (reader.cursor < last) tell(`has up to ${reader.cursor} of ${last}`);
        }
      },
    };
  },
};

function judgeSeat(
  run: Run,
  { at, reader, after, epoch, has }: Seat,
  final: FinalState,
  report: Report,
): void {
  const { connection, conversation, member } = reader;
  const { floor = 0, members, lastSeq = Infinity } = final.conversations.get(conversation.id) ?? {};
  const isAhead =
    epoch === final.epoch &&
    (after > lastSeq || run.isYounger({ conversationId: conversation.id, epoch, seq: after }, at));
  if (isAhead) {
    const text = `was made to begin behind ${after}, which was not there yet`;
    return report({ at, connection: connection.id, conversationId: conversation.id, text });
  }
  if (connection.epoch !== final.epoch || member?.unsure) return;
  const joinedSeq = member === undefined ? 1 : (members?.get(member.userId)?.joinedSeq ?? Infinity);
  if (after <= Math.max(has, joinedSeq - 1, floor)) return;
  const text = `had ${has} and was made to begin behind ${after}`;
  report({ at, connection: connection.id, conversationId: conversation.id, text });
}

/** "You were added" names a place that some answer, or the log, knows. */
function judgeJoining({ at, member, reader, seq }: Joining, final: FinalState, report: Report): void {
  const { connection, conversation } = reader;
  const known = final.conversations.get(conversation.id)?.members.get(member.userId)?.joinedSeq;
  if (member.unsure || known === seq) return;
  const isPossible = member.adds.some(
    ({ phase, joinedSeq }) => phase !== 'fail' && (joinedSeq === undefined || joinedSeq === seq),
  );
  if (isPossible) return;
  const text = `was told to begin with ${seq}, and joined at ${known}`;
  report({ at, connection: connection.id, conversationId: conversation.id, text });
}
