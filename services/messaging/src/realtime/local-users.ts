import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Channel, ReaderLog, UserSnapshot } from '../ports.ts';
import { Stopped } from './batcher.ts';
import type { Reads } from './reads.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Users whose versions are compared in one statement. */
const VERSIONS_PIECE = 5000;

/** Whoever follows a user's memberships. */
export interface MembershipReader {
  readonly userId: string;
  /** A snapshot as new as any that this reader was given before. */
  applyMemberships(snapshot: UserSnapshot): void;
}

interface LocalUser {
  readonly userId: string;
  readonly readers: Set<MembershipReader>;
  version: number;
  refreshing: boolean;
  /** Something may have changed since the refresh under way was asked. */
  again: boolean;
}

/**
 * Membership has a cursor too: the user's version. "You were added" can be lost like a message, and the
 * conversation has no reader here that could notice, so versions are compared every few seconds. A hint on the
 * user's channel only makes it sooner.
 */
export class LocalUsers {
  readonly #users = new Map<string, LocalUser>();
  readonly #reads: Reads;
  readonly #reader: ReaderLog;
  readonly #subscriptions: Subscriptions;
  readonly #log: Log;

  constructor(options: { reads: Reads; reader: ReaderLog; subscriptions: Subscriptions; log: Log }) {
    this.#reads = options.reads;
    this.#reader = options.reader;
    this.#subscriptions = options.subscriptions;
    this.#log = options.log;
  }

  readersOf(userId: string): Iterable<MembershipReader> {
    return this.#users.get(userId)?.readers ?? [];
  }

  /** Registers the reader; the channel is confirmed before the memberships are read. */
  async join(reader: MembershipReader): Promise<UserSnapshot> {
    const { userId } = reader;
    let user = this.#users.get(userId);
    if (user === undefined) {
      user = { userId, readers: new Set(), version: -1, refreshing: false, again: false };
      this.#users.set(userId, user);
    }
    user.readers.add(reader);
    await this.#subscriptions.hold(channelOf(userId));
    const snapshot = await this.#reads.user(userId);
    this.#apply(user, snapshot, reader);
    return snapshot;
  }

  leave(reader: MembershipReader): void {
    const user = this.#users.get(reader.userId);
    if (user === undefined || !user.readers.delete(reader) || user.readers.size > 0) return;
    this.#users.delete(reader.userId);
    this.#subscriptions.drop(channelOf(reader.userId));
  }

  /** Something about this user may have changed. */
  hint(userId: string): void {
    const user = this.#users.get(userId);
    if (user === undefined) return;
    if (user.refreshing) {
      user.again = true;
      return;
    }
    user.refreshing = true;
    void this.#refresh(user).catch((error: unknown) => {
      user.refreshing = false;
      if (!(error instanceof Stopped))
        this.#log.error('membership_refresh_failed', { reason: reasonOf(error) });
    });
  }

  /** Compares the versions of all local users with the log. */
  async compareVersions(): Promise<void> {
    const userIds = [...this.#users.keys()];
    for (let start = 0; start < userIds.length; start += VERSIONS_PIECE) {
      const piece = userIds.slice(start, start + VERSIONS_PIECE);
      const versions = await this.#reader.readUserVersions(piece);
      for (const userId of piece) {
        const user = this.#users.get(userId);
        if (user !== undefined && user.version >= 0 && (versions.get(userId) ?? 0) !== user.version)
          this.hint(userId);
      }
    }
  }

  clear(): void {
    for (const userId of this.#users.keys()) this.#subscriptions.drop(channelOf(userId));
    this.#users.clear();
  }

  async #refresh(user: LocalUser): Promise<void> {
    do {
      user.again = false;
      this.#apply(user, await this.#reads.user(user.userId));
    } while (user.again);
    user.refreshing = false;
  }

  #apply(user: LocalUser, snapshot: UserSnapshot, joining?: MembershipReader): void {
    if (snapshot.version < user.version) {
      if (joining === undefined) return;
      // Two reads crossed. The joining reader builds on the older one, so all are brought up to date at once:
      // what a reader has acted on already it drops.
      user.version = snapshot.version;
      this.hint(user.userId);
      return;
    }
    const changed = snapshot.version !== user.version;
    user.version = snapshot.version;
    if (!changed) return;
    for (const reader of user.readers) if (reader !== joining) reader.applyMemberships(snapshot);
  }
}

export function channelOf(userId: string): Channel {
  return `u:${userId}`;
}
