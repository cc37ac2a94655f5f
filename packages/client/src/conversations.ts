import { PAGE_LIMIT_MAX } from '@sanctum/protocol';
import { systemClock } from './clock.ts';
import { baseUrlOf } from './connect.ts';
import { Http } from './http.ts';
import { TokenSource, type TokenOption } from './token-source.ts';

export interface ConversationInfo {
  readonly conversationId: string;
  /** Its last `seq`; 0 while it is empty. */
  readonly head: number;
  /** The lowest `seq` that the user may read. */
  readonly min: number;
  readonly joinedSeq: number;
  readonly membersVersion: number;
  /** RFC 3339; null while it is empty. */
  readonly lastOccurredAt: string | null;
}

export interface MemberInfo {
  readonly userId: string;
  readonly role: 'owner' | 'member';
  readonly joinedSeq: number;
}

interface WireConversation {
  readonly conversation_id: string;
  readonly head: number;
  readonly min: number;
  readonly joined_seq: number;
  readonly members_version: number;
  readonly last_occurred_at: string | null;
}

/**
 * Conversations and their members, over HTTP: for people who start one, and for services that manage them with the
 * scope `messaging:manage`. It needs no `connect`. Its methods reject with a `SanctumError`; calls that may be
 * repeated without harm are, while that may help.
 */
export class Conversations {
  readonly #http: Http;

  constructor({ url, token, signal }: { url: string; token: TokenOption; signal?: AbortSignal }) {
    this.#http = new Http({
      baseUrl: baseUrlOf(url),
      tokens: new TokenSource(token, systemClock, signal),
      fetch: (...args) => globalThis.fetch(...args),
      clock: systemClock,
      signal: signal ?? new AbortController().signal,
    });
  }

  /** Makes a conversation; the caller is its owner and a member. Again the same is answered the same. */
  async create({
    members,
    conversationId = crypto.randomUUID(),
  }: {
    members: readonly string[];
    conversationId?: string;
  }): Promise<{ conversationId: string; head: number }> {
    const body = { conversation_id: conversationId, members };
    const { head } = await this.#http.ask<{ head: number }>({
      method: 'POST',
      path: '/v1/conversations',
      body,
    });
    return { conversationId, head };
  }

  /** All conversations of the caller. */
  async list(): Promise<ConversationInfo[]> {
    const all = await this.#pages<{ conversations: WireConversation[] }>('/v1/conversations');
    return all.flatMap(({ conversations }) => conversations.map(conversationInfo));
  }

  async get(conversationId: string): Promise<ConversationInfo & { readonly memberCount: number }> {
    const path = `/v1/conversations/${conversationId}`;
    const found = await this.#http.ask<WireConversation & { member_count: number }>({ method: 'GET', path });
    return { ...conversationInfo(found), memberCount: found.member_count };
  }

  async members(conversationId: string): Promise<MemberInfo[]> {
    const path = `/v1/conversations/${conversationId}/members`;
    const all = await this.#pages<{
      members: { user_id: string; role: MemberInfo['role']; joined_seq: number }[];
    }>(path);
    return all.flatMap(({ members }) =>
      members.map(({ user_id: userId, role, joined_seq: joinedSeq }) => ({ userId, role, joinedSeq })),
    );
  }

  /** Adds a member, who reads what is sent from now on. By the owner, or with `messaging:manage`. */
  async addMember(conversationId: string, userId: string): Promise<{ joinedSeq: number }> {
    const { joined_seq: joinedSeq } = await this.#http.ask<{ joined_seq: number }>({
      method: 'PUT',
      path: memberPath(conversationId, userId),
    });
    return { joinedSeq };
  }

  /** Removes a member, at once. By the owner, or with `messaging:manage`; anyone may remove themselves. */
  async removeMember(conversationId: string, userId: string): Promise<void> {
    await this.#http.ask({ method: 'DELETE', path: memberPath(conversationId, userId) });
  }

  async #pages<T extends object>(path: string): Promise<T[]> {
    const pages: T[] = [];
    let cursor: string | null = null;
    do {
      const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: T & { next_cursor: string | null } = await this.#http.ask({
        method: 'GET',
        path: `${path}?limit=${PAGE_LIMIT_MAX}${after}`,
      });
      pages.push(page);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return pages;
  }
}

function conversationInfo(wire: WireConversation): ConversationInfo {
  return {
    conversationId: wire.conversation_id,
    head: wire.head,
    min: wire.min,
    joinedSeq: wire.joined_seq,
    membersVersion: wire.members_version,
    lastOccurredAt: wire.last_occurred_at,
  };
}

function memberPath(conversationId: string, userId: string): string {
  return `/v1/conversations/${conversationId}/members/${encodeURIComponent(userId)}`;
}
