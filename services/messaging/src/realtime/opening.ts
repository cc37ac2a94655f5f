import {
  CLIENT_FRAME_MAX_BYTES,
  CLOSE,
  formatTime,
  SUBSCRIBE_MAX,
  type SubscribedItem,
  TOO_MANY_CONNECTIONS_RETRY_MS,
} from '@sanctum/protocol';
import { applySnapshot } from './membership-changes.ts';
import { Position } from './position.ts';
import type { ControlFrame } from './outbound.ts';
import type { Session } from './session.ts';

/** Open connections of one user; those that have been told to go do not count. */
const USER_CONNECTIONS_MAX = 64;
/** Names that a hello may bring: none yet, the frame is ready for them. */
const FEATURES: readonly string[] = [];

/**
 * From a complete hello to `live`. The user's channel is confirmed before version and memberships are read, so a
 * change after the read is heard, or found by the comparison of versions.
 */
export async function openSession(session: Session): Promise<void> {
  const { hub, token, hello } = session;
  if (token === undefined || hello === undefined) return;
  hub.met(session);
  if (hub.connectionsOf(token.userId) >= USER_CONNECTIONS_MAX) {
    return session.close(CLOSE.too_many_connections, TOO_MANY_CONNECTIONS_RETRY_MS);
  }
  const snapshot = await hub.users.join(session);
  // Gone meanwhile; the compiler does not know that others write `state`.
  if ((session.state as string) === 'closed') return hub.users.leave(session);

  const epoch = hub.epochs.current;
  session.sendFrame({
    type: 'ready',
    connection_id: session.connection.id,
    user_id: token.userId,
    epoch,
    features: hello.features.filter((feature) => FEATURES.includes(feature)),
    heartbeat_ms: hub.settings.heartbeatMs,
    credit: session.out.credit.limit,
    max_frame_bytes: CLIENT_FRAME_MAX_BYTES,
    payload_max_bytes: hub.settings.payloadMaxBytes,
    expires_at: formatTime(token.expiresAt),
    server_time: formatTime(hub.clock.now()),
  });
  if (session.cursors.size > 0) hub.metrics.transportResumes.inc();

  const resets: ControlFrame[] = [];
  const seated: SubscribedItem[] = [];
  if (session.cursors.size > 0 && hello.epoch !== epoch) {
    // The log was set back since: no cursor means anything.
    session.cursors.clear();
    resets.push({
      frame: { type: 'reset', conversation_id: '*', epoch, reason: 'epoch' },
      costsCredit: true,
    });
  }
  if (hello.subscribe === 'all') {
    for (const membership of snapshot.memberships) {
      if (!membership.present) continue;
      const { conversationId, head, joinedSeq } = membership;
      const min = Math.max(joinedSeq, membership.floor + 1);
      const given = session.cursors.get(conversationId);
      const ahead = given !== undefined && given > head;
      if (ahead) {
        resets.push({
          frame: { type: 'reset', conversation_id: conversationId, epoch, head, reason: 'cursor_ahead' },
          costsCredit: true,
        });
      }
      const cursor =
        given !== undefined && !ahead ? given : hello.without_cursor === 'start' ? min - 1 : head;
      session.cursors.delete(conversationId);
      if (given === undefined || ahead || cursor < head) {
        seated.push({ conversation_id: conversationId, status: 'ok', after: cursor, head, min });
      }
      const position = new Position({
        session,
        feed: hub.feeds.use(conversationId),
        cursor,
        joinedSeq,
        verified: membership.membersVersion,
        membershipVersion: membership.changedVersion,
      });
      session.positions.set(conversationId, position);
      if (cursor < head) {
        position.catchUpTo = head;
        session.catchingUp = (session.catchingUp ?? 0) + 1;
      }
    }
    // What is left belongs to conversations that are not, or no longer, the user's.
    for (const conversationId of session.cursors.keys()) {
      seated.push({ conversation_id: conversationId, status: 'error', code: 'conversation_not_found' });
    }
  }
  session.cursors.clear();
  session.out.control = [...resets, ...inPieces(seated).map(subscribedFrame)];
  session.state = 'live';
  for (const position of session.positions.values())
    hub.feeds.attach(position, position.catchUpTo ?? position.cursor);
  if (session.pendingSnapshot !== undefined && session.pendingSnapshot.version > snapshot.version) {
    applySnapshot(session, session.pendingSnapshot);
  }
  session.pendingSnapshot = undefined;
  if (hub.draining) hub.sendAway(session);
  session.flush();
}

function subscribedFrame(conversations: SubscribedItem[]): ControlFrame {
  return { frame: { type: 'subscribed', conversations }, costsCredit: false };
}

function inPieces<T>(items: readonly T[]): T[][] {
  const pieces: T[][] = [];
  for (let start = 0; start < items.length; start += SUBSCRIBE_MAX)
    pieces.push(items.slice(start, start + SUBSCRIBE_MAX));
  return pieces;
}
