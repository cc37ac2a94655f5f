import type {
  HeadsAnswer,
  LogPage,
  MembersAnswer,
  Membership,
  PageRequest,
  ReaderLog,
  ReplayPage,
  ReplayRequest,
  UserSnapshot,
} from '../../ports.ts';
import type { PostgresPool } from './pool.ts';
import { readPages, readReplays } from './read-pages.ts';

/** Index: conversation's primary key. Measured by the design: 10,000 heads of 2 million in 60 ms. */
const READ_HEADS = {
  name: 'read-heads',
  text: `SELECT e.epoch, c.conversation_id, c.last_seq, c.floor_seq, c.members_version
         FROM messaging.log_epoch e
         LEFT JOIN messaging.conversation c ON c.conversation_id = ANY ($1::uuid[])`,
};

/**
 * A removal is news for as long as a pod may not have heard of it, which is seconds: versions are compared every 5 s.
 * What is older, or beyond so many, is still found by the next message of its conversation, which asks for the one
 * membership: a user's past, however long, makes no hello slow. Measured with 300,000 rows left just now: 7 ms, and
 * 500 ms with a plan made before the table had statistics, which sorts them all: hence the short time.
 */
const LEFT_WITHIN = '10 minutes';
const LEFT_MAX = 1000;

/**
 * Index: user_state's key, conversation_member_present and _left, conversation's key. OFFSET 0 keeps the planner from joining in
 * another order than this one, whatever it believes of tables that were empty when it looked.
 */
const READ_USERS = {
  name: 'read-users',
  text: `SELECT u.ord, e.epoch, coalesce(s.version, 0) AS version, m.*, c.*
         FROM unnest($1::text[]) WITH ORDINALITY u (user_id, ord)
         CROSS JOIN messaging.log_epoch e
         LEFT JOIN LATERAL (
           SELECT x.version FROM messaging.user_state x WHERE x.user_id = u.user_id OFFSET 0) s ON true
         LEFT JOIN LATERAL (
           SELECT x.conversation_id, x.joined_seq, x.left_seq, x.members_version AS changed_version
           FROM messaging.conversation_member x WHERE x.user_id = u.user_id AND x.left_seq IS NULL
           UNION ALL
           (SELECT x.conversation_id, x.joined_seq, x.left_seq, x.members_version
            FROM messaging.conversation_member x
            WHERE $2 AND x.user_id = u.user_id AND x.left_seq IS NOT NULL
              AND x.left_at > now() - INTERVAL '${LEFT_WITHIN}'
            ORDER BY x.left_at DESC LIMIT ${LEFT_MAX})
           OFFSET 0) m ON true
         LEFT JOIN LATERAL (
           SELECT x.last_seq, x.floor_seq, x.members_version FROM messaging.conversation x
           WHERE x.conversation_id = m.conversation_id OFFSET 0) c ON true`,
};

/** Index: user_state's key. */
const READ_USER_VERSIONS = {
  name: 'read-user-versions',
  text: 'SELECT user_id, version FROM messaging.user_state WHERE user_id = ANY ($1::text[])',
};

/** Index: the primary keys. $2 and $3 are pairs: the ordinal of a conversation in $1, and a user. */
const READ_MEMBERS = {
  name: 'read-members',
  text: `SELECT q.ord, c.*, m.*
         FROM unnest($1::uuid[]) WITH ORDINALITY q (id, ord)
         CROSS JOIN LATERAL (
           SELECT x.conversation_id, x.last_seq, x.members_version FROM messaging.conversation x
           WHERE x.conversation_id = q.id OFFSET 0) c
         LEFT JOIN LATERAL (
           SELECT x.user_id, x.joined_seq, x.left_seq, x.members_version AS changed_version
           FROM unnest($2::integer[], $3::text[]) w (ord, user_id)
           CROSS JOIN LATERAL (SELECT y.* FROM messaging.conversation_member y
             WHERE y.conversation_id = q.id AND y.user_id = w.user_id OFFSET 0) x
           WHERE w.ord = q.ord OFFSET 0) m ON true`,
};

const READ_EPOCH = { name: 'read-epoch', text: 'SELECT epoch FROM messaging.log_epoch' };

interface HeadRow {
  epoch: number;
  conversation_id: string | null;
  last_seq: number;
  floor_seq: number;
  members_version: number;
}

interface MemberRow {
  conversation_id: string;
  joined_seq: number;
  left_seq: number | null;
  changed_version: number;
}

export class PostgresReaderLog implements ReaderLog {
  readonly #pool: PostgresPool;
  readonly #payloadLimitBytes: number;

  /** `payloadLimitBytes`: a larger payload fits no frame (`tooLargeAbove` of @sanctum/protocol). */
  constructor(pool: PostgresPool, options: { readonly payloadLimitBytes: number }) {
    this.#pool = pool;
    this.#payloadLimitBytes = options.payloadLimitBytes;
  }

  readPages(requests: readonly PageRequest[]): Promise<(LogPage | undefined)[]> {
    return readPages(this.#pool, requests, this.#payloadLimitBytes);
  }

  readReplays(requests: readonly ReplayRequest[]): Promise<ReplayPage[]> {
    return readReplays(this.#pool, requests, this.#payloadLimitBytes);
  }

  async readHeads(conversationIds: readonly string[]): Promise<HeadsAnswer> {
    const rows = await this.#pool.query<HeadRow>(READ_HEADS, [conversationIds]);
    const heads = new Map(
      rows.flatMap((row) =>
        row.conversation_id === null
          ? []
          : [
              [
                row.conversation_id,
                { head: row.last_seq, floor: row.floor_seq, membersVersion: row.members_version },
              ],
            ],
      ),
    );
    return { epoch: rows[0]!.epoch, heads };
  }

  async readUsers(
    userIds: readonly string[],
    options: { readonly withLeft: boolean },
  ): Promise<{ epoch: number; users: UserSnapshot[] }> {
    if (userIds.length === 0) return { epoch: await this.readEpoch(), users: [] };
    const rows = await this.#pool.query<HeadRow & MemberRow & { ord: number; version: number }>(READ_USERS, [
      userIds,
      options.withLeft,
    ]);
    const users = userIds.map(() => ({
      version: 0,
      memberships: [] as UserSnapshot['memberships'][number][],
    }));
    for (const row of rows) {
      const user = users[row.ord - 1]!;
      user.version = row.version;
      if (row.conversation_id === null) continue;
      user.memberships.push({
        ...toMembership(row),
        present: row.left_seq === null,
        head: row.last_seq,
        floor: row.floor_seq,
        membersVersion: row.members_version,
      });
    }
    return { epoch: rows[0]!.epoch, users };
  }

  async readUserVersions(userIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#pool.query<{ user_id: string; version: number }>(READ_USER_VERSIONS, [userIds]);
    const versions = new Map(userIds.map((userId) => [userId, 0]));
    for (const row of rows) versions.set(row.user_id, row.version);
    return versions;
  }

  async readMembers(
    requests: readonly { conversationId: string; userIds: readonly string[] }[],
  ): Promise<(MembersAnswer | undefined)[]> {
    if (requests.length === 0) return [];
    const pairs = requests.flatMap((request, index) =>
      request.userIds.map((userId) => ({ ord: index + 1, userId })),
    );
    const rows = await this.#pool.query<
      MemberRow & { ord: number; user_id: string | null; last_seq: number; members_version: number }
    >(READ_MEMBERS, [
      requests.map((request) => request.conversationId),
      pairs.map((pair) => pair.ord),
      pairs.map((pair) => pair.userId),
    ]);
    const answers = new Array<(MembersAnswer & { members: Map<string, Membership> }) | undefined>(
      requests.length,
    ).fill(undefined);
    for (const row of rows) {
      const answer = (answers[row.ord - 1] ??= {
        membersVersion: row.members_version,
        head: row.last_seq,
        members: new Map(),
      });
      if (row.user_id !== null) answer.members.set(row.user_id, toMembership(row));
    }
    return answers;
  }

  async readEpoch(): Promise<number> {
    const [row] = await this.#pool.query<{ epoch: number }>(READ_EPOCH);
    return row!.epoch;
  }
}

function toMembership(row: MemberRow): Membership {
  return {
    conversationId: row.conversation_id,
    joinedSeq: row.joined_seq,
    leftSeq: row.left_seq ?? undefined,
    changedVersion: row.changed_version,
  };
}
