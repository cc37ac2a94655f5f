import type { ConversationHead, Membership, UserSnapshot } from '../ports.ts';
import { Position } from './position.ts';
import type { Session } from './session.ts';

/**
 * News of memberships reach a session on three ways (a hint, the comparison of versions, a message committed under
 * a newer members_version), each perhaps late. What counts is the version of the change itself: news that are not
 * newer than what the session acted on are dropped.
 */
export function applySnapshot(session: Session, snapshot: UserSnapshot): void {
  // A removal leaves its row behind: a conversation that does not stand in the snapshot is newer than that.
  for (const membership of snapshot.memberships) {
    const position = session.positions.get(membership.conversationId);
    if (position !== undefined) {
      applyMembership(session, position, membership, membership.membersVersion);
    } else if (membership.present && session.subscribesToAll && isNews(session, membership)) {
      join(session, membership);
    }
  }
  session.flush();
}

/** What a check of one membership found; `version` is the conversation's members_version of that moment. */
export function applyMembership(
  session: Session,
  position: Position,
  membership: Membership | undefined,
  version: number,
): void {
  if (position.isOperators) return;
  if (membership === undefined) return forget(session, position, position.membershipVersion, position.cursor);
  if (membership.changedVersion > position.membershipVersion) {
    if (membership.leftSeq !== undefined) {
      return forget(session, position, membership.changedVersion, membership.leftSeq);
    }
    // Left and came back: reading goes on behind the new beginning.
    position.membershipVersion = membership.changedVersion;
    position.joinedSeq = membership.joinedSeq;
    position.cursor = membership.joinedSeq - 1;
    position.page = undefined;
    position.dropReplays();
    session.reached(position);
    noticeAdded(session, membership);
  }
  position.verified = Math.max(position.verified, version);
  session.due(position);
}

function isNews(session: Session, membership: Membership): boolean {
  const left = session.left.get(membership.conversationId);
  return left === undefined || membership.changedVersion > left;
}

function join(session: Session, membership: Membership & ConversationHead): void {
  session.left.delete(membership.conversationId);
  const position = new Position({
    session,
    feed: session.hub.feeds.use(membership.conversationId),
    // where the membership begins, not where the head is when it was noticed
    cursor: membership.joinedSeq - 1,
    joinedSeq: membership.joinedSeq,
    verified: membership.membersVersion,
    membershipVersion: membership.changedVersion,
  });
  session.positions.set(membership.conversationId, position);
  noticeAdded(session, membership);
  session.hub.feeds.attach(position, membership.head);
}

function forget(session: Session, position: Position, version: number, leftSeq: number): void {
  const { conversationId } = position.feed;
  session.noteLeft(conversationId, version);
  session.remove(position);
  session.out.notices.set(conversationId, {
    type: 'member',
    conversation_id: conversationId,
    change: 'removed',
    user_id: session.userId,
    seq: leftSeq,
    head: leftSeq,
    members_version: version,
  });
  session.hub.schedule(session);
}

function noticeAdded(session: Session, membership: Membership): void {
  session.out.notices.set(membership.conversationId, {
    type: 'member',
    conversation_id: membership.conversationId,
    change: 'added',
    user_id: session.userId,
    seq: membership.joinedSeq,
    head: membership.joinedSeq - 1,
    members_version: membership.changedVersion,
  });
  session.hub.schedule(session);
}
