import type {
  Actor,
  AddMemberOutcome,
  ConversationLog,
  ConversationView,
  CreateOutcome,
  MemberView,
  RemoveMemberOutcome,
} from '../../ports.ts';
import { creationHash, distinctMembers } from './creation-hash.ts';
import { PostgresFault } from './faults.ts';
import type { PostgresPool } from './pool.ts';

/** Raised by the schema's own functions, which must undo what they had done. */
const TOO_MANY_CONVERSATIONS = 'SM001';

/** Membership changes are functions of the schema (migrations/20250209): check, lock and change in one trip. */
const CREATE = {
  name: 'create-conversation',
  text: 'SELECT outcome, head, version FROM messaging.create_conversation($1, $2, $3, $4)',
};
const ADD = {
  name: 'add-member',
  text: 'SELECT outcome, joined, version FROM messaging.add_member($1, $2, $3, $4)',
};
const REMOVE = {
  name: 'remove-member',
  text: 'SELECT outcome FROM messaging.remove_member($1, $2, $3, $4)',
};

const VIEW = `c.conversation_id, c.last_seq, c.floor_seq, c.members_version, c.last_occurred_at`;

/** Index: conversation_member_present, from `after` on; each conversation by its key. */
const listConversations = (behind: string) => ({
  name: `list-conversations${behind === '' ? '' : '-after'}`,
  text: `SELECT ${VIEW}, m.joined_seq
         FROM messaging.conversation_member m JOIN messaging.conversation c USING (conversation_id)
         WHERE m.user_id = $1 AND m.left_seq IS NULL ${behind}
         ORDER BY m.conversation_id LIMIT $2`,
});
const LIST_FIRST = listConversations('');
const LIST_AFTER = listConversations('AND m.conversation_id > $3');

/** Index: the primary keys of both tables. */
const GET = {
  name: 'get-conversation',
  text: `SELECT ${VIEW}, c.member_count, coalesce(m.joined_seq, 1) AS joined_seq
         FROM messaging.conversation c
         LEFT JOIN messaging.conversation_member m
           ON m.conversation_id = c.conversation_id AND m.user_id = $2 AND m.left_seq IS NULL
         WHERE c.conversation_id = $1 AND ($3 OR m.user_id IS NOT NULL)`,
};

/** Index: conversation_member's primary key, from `after` on. No row: not to be seen; a row of NULLs: no member. */
const LIST_MEMBERS = {
  name: 'list-members',
  text: `SELECT p.user_id, p.role, p.joined_seq
         FROM messaging.conversation c
         LEFT JOIN LATERAL (
           SELECT m.user_id, m.role, m.joined_seq FROM messaging.conversation_member m
           WHERE m.conversation_id = c.conversation_id AND m.left_seq IS NULL AND m.user_id > $4
           ORDER BY m.user_id LIMIT $5) p ON true
         WHERE c.conversation_id = $1 AND ($3 OR EXISTS (
           SELECT FROM messaging.conversation_member a
           WHERE a.conversation_id = c.conversation_id AND a.user_id = $2 AND a.left_seq IS NULL))`,
};

interface ViewRow {
  conversation_id: string;
  last_seq: number;
  floor_seq: number;
  members_version: number;
  last_occurred_at: number | null;
  joined_seq: number;
}

export class PostgresConversationLog implements ConversationLog {
  readonly #pool: PostgresPool;
  readonly #changePool: PostgresPool;

  /** `changePool`: a change may wait for its conversation's counter; on connections of its own it holds up no read. */
  constructor(pool: PostgresPool, options: { readonly changePool?: PostgresPool } = {}) {
    this.#pool = pool;
    this.#changePool = options.changePool ?? pool;
  }

  async createConversation(request: {
    conversationId: string;
    owner: string;
    members: readonly string[];
  }): Promise<CreateOutcome> {
    const members = distinctMembers(request.owner, request.members);
    const values = [request.conversationId, request.owner, members, creationHash(request.owner, members)];
    const row = await this.#change<{ outcome: string; head: number; version: number }>(CREATE, values);
    if (row === 'too_many_conversations') return { kind: row };
    if (row.outcome === 'exists') return { kind: 'conversation_exists' };
    return { kind: row.outcome as 'created' | 'same', head: row.head, membersVersion: row.version };
  }

  async addMember(request: {
    conversationId: string;
    actor: Actor;
    userId: string;
  }): Promise<AddMemberOutcome> {
    const row = await this.#change<{ outcome: string; joined: number; version: number }>(
      ADD,
      toValues(request),
    );
    if (row === 'too_many_conversations') return { kind: row };
    switch (row.outcome) {
      case 'added':
      case 'present':
        return { kind: row.outcome, joinedSeq: row.joined, membersVersion: row.version };
      case 'not_found':
        return { kind: 'conversation_not_found' };
      default:
        return { kind: row.outcome as 'not_owner' | 'conversation_full' };
    }
  }

  async removeMember(request: {
    conversationId: string;
    actor: Actor;
    userId: string;
  }): Promise<RemoveMemberOutcome> {
    const [row] = await this.#changePool.query<{ outcome: string }>(REMOVE, toValues(request));
    if (row!.outcome === 'not_found') return { kind: 'conversation_not_found' };
    return { kind: row!.outcome as 'removed' | 'absent' | 'not_owner' };
  }

  async listConversations(request: {
    userId: string;
    after: string | undefined;
    limit: number;
  }): Promise<ConversationView[]> {
    const { userId, after, limit } = request;
    const rows = await (after === undefined
      ? this.#pool.query<ViewRow>(LIST_FIRST, [userId, limit])
      : this.#pool.query<ViewRow>(LIST_AFTER, [userId, limit, after]));
    return rows.map(toView);
  }

  async getConversation(request: {
    conversationId: string;
    actor: Actor;
  }): Promise<(ConversationView & { memberCount: number }) | undefined> {
    const { conversationId, actor } = request;
    const values = [conversationId, actor.userId, actor.operate];
    const [row] = await this.#pool.query<ViewRow & { member_count: number }>(GET, values);
    return row === undefined ? undefined : { ...toView(row), memberCount: row.member_count };
  }

  async listMembers(request: {
    conversationId: string;
    actor: Actor;
    after: string | undefined;
    limit: number;
  }): Promise<MemberView[] | undefined> {
    const { conversationId, actor, after, limit } = request;
    const values = [conversationId, actor.userId, actor.operate, after ?? '', limit];
    const rows = await this.#pool.query<{
      user_id: string | null;
      role: 'owner' | 'member';
      joined_seq: number;
    }>(LIST_MEMBERS, values);
    if (rows.length === 0) return undefined;
    return rows.flatMap(({ user_id: userId, role, joined_seq: joinedSeq }) =>
      userId === null ? [] : [{ userId, role, joinedSeq }],
    );
  }

  /** The one row of a changing function; the limit on a user's conversations is the one error among its outcomes. */
  async #change<R extends object>(
    statement: { name: string; text: string },
    values: unknown[],
  ): Promise<R | 'too_many_conversations'> {
    try {
      const [row] = await this.#changePool.query<R>(statement, values);
      return row!;
    } catch (error) {
      if (error instanceof PostgresFault && error.sqlState === TOO_MANY_CONVERSATIONS)
        return 'too_many_conversations';
      throw error;
    }
  }
}

function toValues(request: { conversationId: string; actor: Actor; userId: string }): unknown[] {
  return [request.conversationId, request.actor.userId, request.actor.manage, request.userId];
}

function toView(row: ViewRow): ConversationView {
  return {
    conversationId: row.conversation_id,
    head: row.last_seq,
    min: Math.max(row.joined_seq, row.floor_seq + 1),
    joinedSeq: row.joined_seq,
    membersVersion: row.members_version,
    lastOccurredAt: row.last_occurred_at ?? undefined,
  };
}
