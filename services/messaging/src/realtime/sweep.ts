import { ACK_TIMEOUT_MS, CLOSE, WRITE_STALL_TIMEOUT_MS } from '@sanctum/protocol';
import type { Session } from './session.ts';

/** How often every session is looked at. */
export const SWEEP_EVERY_MS = 1000;
/** A client that stays blocked gives back the pages read for it. */
const RELEASE_PAGES_AFTER_MS = 1000;
/** A socket from which nothing came for so many heartbeats is dead: each of our pings asks for a pong. */
const SILENT_HEARTBEATS = 2.5;

/** What is due at a session by the passing of time alone. `now` is monotonic milliseconds. */
export function sweepSession(session: Session, now: number, serverTime: string): void {
  const { connection, hub } = session;
  if (now - session.heardAt > SILENT_HEARTBEATS * hub.settings.heartbeatMs) {
    connection.terminate();
    return session.gone(CLOSE.abnormal);
  }
  const { usedUpSince } = session.out.credit;
  if (usedUpSince !== undefined && now - usedUpSince >= ACK_TIMEOUT_MS)
    return session.close(CLOSE.slow_consumer);
  if (writesStalled(session, now)) {
    // A close frame would wait behind what the client does not read.
    session.close(CLOSE.slow_consumer);
    return connection.terminate();
  }
  const { blockedSince, advancedAt } = session;
  if (blockedSince !== undefined && now - Math.max(blockedSince, advancedAt) >= RELEASE_PAGES_AFTER_MS)
    session.releasePages();
  if (now >= session.heartbeatAt && session.state === 'live') {
    session.heartbeatAt = now + hub.settings.heartbeatMs;
    session.sendFrame({ type: 'heartbeat', server_time: serverTime });
    connection.ping();
  }
}

function writesStalled(session: Session, now: number): boolean {
  const unsent = session.connection.unsentBytes;
  // A large write counts as unsent until the whole of it is out: until then only the acks of a slow client tell.
  const { acknowledged } = session.out.credit;
  const goesOn = unsent === 0 || unsent < session.lastUnsentBytes || acknowledged > session.lastAcknowledged;
  if (goesOn) session.writesStalledSince = undefined;
  else session.writesStalledSince ??= now;
  session.lastUnsentBytes = unsent;
  session.lastAcknowledged = acknowledged;
  return (
    session.writesStalledSince !== undefined && now - session.writesStalledSince >= WRITE_STALL_TIMEOUT_MS
  );
}
