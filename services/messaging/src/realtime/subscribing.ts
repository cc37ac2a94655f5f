import type { ErrorCode, RequestId, SubscribedItem, SubscribeFrame } from '@sanctum/protocol';
import type { ControlFrame } from './outbound.ts';
import { OPERATORS, Position } from './position.ts';
import type { Session } from './session.ts';

/** Conversations that one connection may follow: as many as a user can have. */
const POSITIONS_MAX = 10_000;

interface Seat {
  readonly item: SubscribedItem;
  readonly place: Place | undefined;
}

/** Where a position is to begin. Its feed is taken when it begins: one that nobody reads may go meanwhile. */
interface Place {
  readonly conversationId: string;
  readonly cursor: number;
  readonly joinedSeq: number;
  readonly verified: number;
  readonly membershipVersion: number;
  readonly head: number;
}

/** Answers a `subscribe`: seats each conversation that the user may read, again where it is seated already. */
export async function subscribe(session: Session, request: SubscribeFrame): Promise<void> {
  let asked: Seat[];
  let seen: number;
  do {
    seen = session.snapshotsSeen;
    asked = await Promise.all(request.conversations.map((wanted) => seat(session, wanted)));
    if (session.state !== 'live') return;
    // News of memberships came meanwhile, and of a conversation without a position they left no trace: once more.
  } while (session.snapshotsSeen !== seen);
  // Removed while the log was being asked: what was read is older than what the session knows.
  const seats = asked.map((one) => {
    const { place } = one;
    const isStale = place !== undefined && leftAfter(session, place);
    return isStale ? refused(place.conversationId, 'conversation_not_found') : one;
  });
  session.sendFrame({ type: 'subscribed', id: request.id, conversations: seats.map(({ item }) => item) });
  for (const { place } of seats) {
    if (place === undefined) continue;
    const { conversationId, head, ...begin } = place;
    const before = session.positions.get(conversationId);
    if (before !== undefined) session.remove(before);
    session.left.delete(conversationId);
    session.out.control = session.out.control.flatMap((control) => withoutNewsOf(conversationId, control));
    const position = new Position({ session, feed: session.hub.feeds.use(conversationId), ...begin });
    session.positions.set(conversationId, position);
    session.hub.feeds.attach(position, head);
  }
  session.flush();
}

/** Answers an `unsubscribe`. A conversation that is not followed is no error: the request may be a repeat. */
export function unsubscribe(
  session: Session,
  request: { id?: RequestId; conversations: readonly string[] },
): void {
  for (const conversationId of request.conversations) {
    const position = session.positions.get(conversationId);
    if (position === undefined) continue;
    if (!position.isOperators) session.noteLeft(conversationId, position.membershipVersion);
    session.remove(position);
  }
  session.sendFrame({
    type: 'unsubscribed',
    ...(request.id === undefined ? {} : { id: request.id }),
    conversations: request.conversations.map((id) => ({ conversation_id: id, status: 'ok' as const })),
  });
  session.flush();
}

/**
 * What still waits for credit of what `hello` brought about: a reset would take the client's new seat away again, and
 * where the old one was is of no use to it.
 */
function withoutNewsOf(conversationId: string, control: ControlFrame): ControlFrame[] {
  const { frame } = control;
  if (frame.type === 'reset') return frame.conversation_id === conversationId ? [] : [control];
  if (frame.type !== 'subscribed') return [control];
  const conversations = frame.conversations.filter((item) => item.conversation_id !== conversationId);
  return conversations.length === 0 ? [] : [{ ...control, frame: { ...frame, conversations } }];
}

function leftAfter(session: Session, { conversationId, verified, membershipVersion }: Place): boolean {
  if (verified === OPERATORS) return false;
  return (session.left.get(conversationId) ?? 0) > membershipVersion;
}

function refused(conversationId: string, code: ErrorCode): Seat {
  return { item: { conversation_id: conversationId, status: 'error', code }, place: undefined };
}

async function seat(session: Session, wanted: SubscribeFrame['conversations'][number]): Promise<Seat> {
  const { hub } = session;
  const conversationId = wanted.conversation_id;
  const [answer, head] = await Promise.all([
    hub.reads.members(conversationId, [session.userId]),
    hub.reads.head(conversationId),
  ]);
  const membership = answer?.members.get(session.userId);
  const isMember = membership !== undefined && membership.leftSeq === undefined;
  const isOperator = session.token?.scopes.has('messaging:operate') === true;
  if (answer === undefined || head === undefined || !(isMember || isOperator)) {
    // The first that is heard of a removal, perhaps: nothing may follow from the old seat either.
    const before = session.positions.get(conversationId);
    if (before !== undefined) session.applyMember(before, membership, answer?.membersVersion ?? 0);
    return refused(conversationId, 'conversation_not_found');
  }
  if (session.positions.size >= POSITIONS_MAX && !session.positions.has(conversationId)) {
    return refused(conversationId, 'too_many_conversations');
  }
  const joinedSeq = isMember ? membership.joinedSeq : 1;
  const min = Math.max(joinedSeq, head.floor + 1);
  const after = wanted.after ?? 'head';
  if (typeof after === 'number' && after > head.head) return refused(conversationId, 'cursor_ahead');
  const cursor = after === 'head' ? head.head : after === 'start' ? min - 1 : after;
  return {
    item: { conversation_id: conversationId, status: 'ok', after: cursor, head: head.head, min },
    place: {
      conversationId,
      cursor,
      joinedSeq,
      verified: isMember ? answer.membersVersion : OPERATORS,
      membershipVersion: isMember ? membership.changedVersion : 0,
      head: head.head,
    },
  };
}
