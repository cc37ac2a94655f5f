/** A row of messaging.revocation, as far as tokens are judged by it. */
export interface RevocationRow {
  readonly kind: 'user' | 'login';
  /** The user's id, or the login's `sid`. */
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly revokedAt: number;
  readonly version: number;
}

/** What a token says that a revocation looks at. */
export interface RevocableToken {
  readonly userId: string;
  readonly issuedAt: number;
  readonly sid?: string | undefined;
}

/**
 * The revocations that this pod knows: all up to `version`. A user's strikes every token issued before it; a
 * token's time has whole seconds, so one of the very same second counts as issued before. A login's strikes for good.
 */
export class Revocations {
  readonly #users = new Map<string, number>();
  readonly #logins = new Set<string>();
  #version = 0;

  get version(): number {
    return this.#version;
  }

  /** In the order of their versions; true when there was anything new. */
  learn(rows: readonly RevocationRow[]): boolean {
    const before = this.#version;
    for (const { kind, subject, revokedAt, version } of rows) {
      if (version <= this.#version) continue;
      this.#version = version;
      if (kind === 'login') this.#logins.add(subject);
      else this.#users.set(subject, Math.max(revokedAt, this.#users.get(subject) ?? 0));
    }
    return this.#version > before;
  }

  /**
   * A restore has set the log back, and versions are given anew: what there is is learned from the beginning. What
   * the restore has lost stays revoked here.
   */
  startOver(): void {
    this.#version = 0;
  }

  readonly isRevoked = ({ userId, issuedAt, sid }: RevocableToken): boolean => {
    if (sid !== undefined && this.#logins.has(sid)) return true;
    const revokedAt = this.#users.get(userId);
    return revokedAt !== undefined && issuedAt < revokedAt;
  };
}
