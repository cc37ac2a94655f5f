import type { Audit, Control, ControlledStage, Revocation } from '@sanctum/protocol/admin';
import { formatTime } from '@sanctum/protocol';
import type { OperatorState } from '../../operations/control-watch.ts';
import type { RevocationRow } from '../../operations/revocations.ts';
import type { PostgresPool, Session } from './pool.ts';

/** Revocations that are read at once, by a pod that has just started. */
const REVOCATIONS_PIECE = 5000;

/** A pause ends with `expires_at`, by this server's clock alone, and then by nobody. */
const CONTROLS = {
  name: 'controls',
  text: `SELECT stage, paused AND NOT is_over AS paused,
           CASE WHEN NOT is_over THEN changed_by END AS changed_by,
           CASE WHEN NOT is_over THEN reason END AS reason,
           CASE WHEN is_over THEN expires_at ELSE changed_at END AS changed_at,
           CASE WHEN NOT is_over THEN expires_at END AS expires_at
         FROM (SELECT *, paused AND coalesce(expires_at <= clock_timestamp(), FALSE) AS is_over
               FROM messaging.control) AS control
         ORDER BY array_position(ARRAY['dispatcher', 'consumer', 'delivery'], stage)`,
};
/** Index: revocation_version_key. */
const NEW_REVOCATIONS = {
  name: 'new-revocations',
  text: `SELECT kind, subject, revoked_at, version FROM messaging.revocation WHERE version > $1
         ORDER BY version LIMIT ${REVOCATIONS_PIECE}`,
};
/** Index: revocation_version_key, from its end. */
const NEWEST_REVOCATION = {
  name: 'newest-revocation',
  text: 'SELECT coalesce(max(version), 0) AS newest FROM messaging.revocation',
};
const SET_CONTROL = {
  name: 'set-control',
  text: `SELECT messaging.set_control($1, $2, $3, $4, $5::float8 * INTERVAL '1 second')`,
};
const REVOKE = {
  name: 'revoke',
  text: 'SELECT kind, subject, revoked_at, revoked_by, reason, version FROM messaging.revoke($1, $2, $3, $4)',
};
/** Index: revocation_version_key, backwards. */
const LIST_REVOCATIONS = {
  name: 'list-revocations',
  text: `SELECT kind, subject, revoked_at, revoked_by, reason, version FROM messaging.revocation
         WHERE version < $1 ORDER BY version DESC LIMIT $2`,
};
/** Index: operator_audit's primary key, backwards. */
const LIST_AUDIT = {
  name: 'list-audit',
  text: `SELECT id, at, operator, action, target, parameters FROM messaging.operator_audit
         WHERE id < $1 ORDER BY id DESC LIMIT $2`,
};
const APPEND_AUDIT = {
  name: 'append-audit',
  text: `INSERT INTO messaging.operator_audit (operator, action, target, parameters) VALUES ($1, $2, $3, $4)`,
};

interface ControlRow {
  readonly stage: ControlledStage;
  readonly paused: boolean;
  readonly changed_by: string | null;
  readonly reason: string | null;
  readonly changed_at: number | null;
  readonly expires_at: number | null;
}

interface StoredRevocation {
  readonly kind: 'user' | 'login';
  readonly subject: string;
  readonly revoked_at: number;
  readonly revoked_by: string;
  readonly reason: string | null;
  readonly version: number;
}

/** A change by an operator. Parameters hold no content. */
export interface AuditRecord {
  readonly operator: string;
  readonly action: string;
  readonly target: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Joins the record to the transaction of the change that it tells of. */
export async function appendAudit(session: Session, record: AuditRecord): Promise<void> {
  const { operator, action, target, parameters } = record;
  await session.execute(APPEND_AUDIT, [operator, action, target, JSON.stringify(parameters)]);
}

/** What operators decide, and the record of it. */
export class PostgresOperatorLog {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async readState(afterVersion: number): Promise<OperatorState> {
    return this.#pool.session(async (session) => {
      const [controls, revocations, [last]] = await Promise.all([
        session.query<ControlRow>(CONTROLS),
        session.query<StoredRevocation>(NEW_REVOCATIONS, [afterVersion]),
        session.query<{ newest: number }>(NEWEST_REVOCATION),
      ]);
      return {
        newest: last!.newest,
        controls: controls.map(({ stage, paused, changed_at, expires_at }) => ({
          stage,
          paused,
          changedAt: changed_at,
          expiresAt: expires_at,
        })),
        revocations: revocations.map(({ kind, subject, revoked_at, version }): RevocationRow => ({
          kind,
          subject,
          revokedAt: revoked_at,
          version,
        })),
      };
    });
  }

  async controls(): Promise<Omit<Control, 'pods_behind'>[]> {
    const rows = await this.#pool.query<ControlRow>(CONTROLS);
    return rows.map(({ changed_at, expires_at, ...row }) => ({
      ...row,
      since: timeOf(changed_at),
      expires_at: timeOf(expires_at),
    }));
  }

  async setControl(change: {
    readonly stage: ControlledStage;
    readonly paused: boolean;
    readonly reason: string;
    readonly by: string | null;
    readonly expiresInSeconds?: number | undefined;
  }): Promise<void> {
    const { stage, paused, reason, by, expiresInSeconds } = change;
    await this.#pool.query(SET_CONTROL, [stage, paused, reason, by, expiresInSeconds ?? null]);
  }

  async revoke(change: {
    readonly kind: 'user' | 'login';
    readonly subject: string;
    readonly reason: string | undefined;
    readonly by: string | null;
  }): Promise<Revocation> {
    const { kind, subject, reason, by } = change;
    const [row] = await this.#pool.query<StoredRevocation>(REVOKE, [kind, subject, reason ?? null, by]);
    return toRevocation(row!);
  }

  /** The latest first; `before` is the version of the last one seen. */
  async revocations(before: number, limit: number): Promise<{ version: number; revocation: Revocation }[]> {
    const rows = await this.#pool.query<StoredRevocation>(LIST_REVOCATIONS, [before, limit]);
    return rows.map((row) => ({ version: row.version, revocation: toRevocation(row) }));
  }

  /** The latest first. */
  async audit(before: number, limit: number): Promise<Audit['entries']> {
    const rows = await this.#pool.query<{
      id: number;
      at: number;
      operator: string;
      action: string;
      target: string;
      parameters: Record<string, unknown>;
    }>(LIST_AUDIT, [before, limit]);
    return rows.map(({ id, at, operator, ...rest }) => ({ id, at: formatTime(at), by: operator, ...rest }));
  }
}

function toRevocation({ kind, subject, revoked_at, revoked_by, reason }: StoredRevocation): Revocation {
  return {
    user_id: kind === 'user' ? subject : null,
    sid: kind === 'login' ? subject : null,
    revoked_at: formatTime(revoked_at),
    revoked_by,
    reason,
  };
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : formatTime(ms);
}
