import type { ConnectionState, ConnectionView, PodConnections, TracedReader } from '@sanctum/protocol/admin';
import { formatTime } from '@sanctum/protocol';
import type { Hub } from './hub.ts';
import type { Session } from './session.ts';

/** Readers that are named one by one; all are counted. */
const READERS_NAMED_MAX = 200;

/** What operators see of this pod's connections: places and counts, never content. */
export class SessionViews {
  readonly #hub: Hub;
  readonly #pod: string;

  constructor(hub: Hub, pod: string) {
    this.#hub = hub;
    this.#pod = pod;
  }

  /** Of all connections; `slow`: something is due that may not be sent. */
  summary(): PodConnections {
    const byState: Record<ConnectionState, number> = { hello: 0, cursors: 0, opening: 0, live: 0 };
    let slow = 0;
    for (const session of this.#hub.sessions) {
      if (session.state === 'closed') continue;
      byState[session.state] += 1;
      if (session.blockedSince !== undefined) slow += 1;
    }
    return { pod: this.#pod, total: this.#hub.sessions.size, slow, by_state: byState };
  }

  /** By connection id, behind `after`. */
  connections(filter: {
    readonly pod?: string | undefined;
    readonly state?: string | undefined;
    readonly slow?: boolean | undefined;
    readonly userId?: string | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
  }): ConnectionView[] {
    const { pod, state, slow, userId, after, limit } = filter;
    if (pod !== undefined && pod !== this.#pod) return [];
    return [...this.#hub.sessions]
      .filter((session) => {
        if (session.state === 'closed') return false;
        if (state !== undefined && session.state !== state) return false;
        if (slow !== undefined && (session.blockedSince !== undefined) !== slow) return false;
        if (userId !== undefined && session.userId !== userId) return false;
        return after === undefined || session.connection.id > after;
      })
      .sort((a, b) => (a.connection.id < b.connection.id ? -1 : 1))
      .slice(0, limit)
      .map((session) => this.#view(session));
  }

  /** Who has a place in the conversation; those that are not past `seq` first. */
  readers(conversationId: string, seq: number): { readers: TracedReader[]; past: number; count: number } {
    const positions = [...(this.#hub.feeds.get(conversationId)?.positions ?? [])];
    const readers = positions
      .map(({ session, cursor }) => ({
        pod: this.#pod,
        connection_id: session.connection.id,
        user_id: session.userId,
        cursor,
        past: cursor >= seq,
        slow: session.blockedSince !== undefined,
      }))
      .sort((a, b) => Number(a.past) - Number(b.past));
    const past = readers.filter((reader) => reader.past).length;
    return { readers: readers.slice(0, READERS_NAMED_MAX), past, count: readers.length };
  }

  /** How many connections have a place in one of these. */
  reach(conversationIds: readonly string[]): number {
    const reached = new Set<Session>();
    for (const id of conversationIds)
      for (const { session } of this.#hub.feeds.get(id)?.positions ?? []) reached.add(session);
    return reached.size;
  }

  /** Connections of a user, or of a login. */
  ofLogin(kind: 'user' | 'login', subject: string): number {
    let count = 0;
    for (const { token } of this.#hub.sessions) {
      if (token !== undefined && (kind === 'user' ? token.userId : token.sid) === subject) count += 1;
    }
    return count;
  }

  #view(session: Session): ConnectionView {
    const { connection, token, positions, out, blockedSince } = session;
    const now = this.#hub.clock.monotonic();
    const openedAt = this.#hub.clock.now() - (now - session.openedAt);
    return {
      connection_id: connection.id,
      pod: this.#pod,
      user_id: token?.userId ?? null,
      state: session.state as ConnectionState,
      opened_at: formatTime(openedAt),
      slow: blockedSince !== undefined,
      slow_seconds: blockedSince === undefined ? null : Math.max(0, now - blockedSince) / 1000,
      catching_up: session.catchingUp !== undefined,
      going_away: session.goingAway,
      conversations: positions.size,
      credit_left: out.credit.left,
      credit_limit: out.credit.limit,
      unsent_bytes: connection.unsentBytes,
    };
  }
}
