import { CONVERSATIONS_PER_USER_MAX, MEMBERS_PER_CONVERSATION_MAX } from '@sanctum/protocol';
import type {
  Actor,
  AddMemberOutcome,
  ConversationLog,
  ConversationView,
  CreateOutcome,
  MemberView,
  RemoveMemberOutcome,
} from '../../ports.ts';
import type { StoredConversation, StoredMember } from './log-state.ts';
import type { MemoryLogContext } from './memory-log.ts';

interface MembershipChange {
  readonly conversationId: string;
  readonly actor: Actor;
  readonly userId: string;
}

export class MemoryConversationLog implements ConversationLog {
  readonly #log: MemoryLogContext;

  constructor(log: MemoryLogContext) {
    this.#log = log;
  }

  createConversation(request: {
    conversationId: string;
    owner: string;
    members: readonly string[];
  }): Promise<CreateOutcome> {
    return this.#log.transact(() => {
      const { conversationId, owner } = request;
      const members = [...new Set([owner, ...request.members])].sort(compareBytes);
      const createdHash = JSON.stringify([owner, members]);
      const known = this.#log.state.conversations.get(conversationId);
      if (known !== undefined) {
        const isIn = presentMember(known, owner) !== undefined;
        return known.createdHash === createdHash && isIn
          ? { kind: 'same', head: known.lastSeq, membersVersion: known.membersVersion }
          : { kind: 'conversation_exists' };
      }
      if (members.some((userId) => this.#isFull(userId))) return { kind: 'too_many_conversations' };

      const conversation = this.#log.state.newConversation(conversationId);
      Object.assign(conversation, { owner, createdHash, membersVersion: 1 });
      for (const userId of members) {
        this.#log.state.touchUser(userId, 1);
        const role = userId === owner ? 'owner' : 'member';
        conversation.members.set(userId, { role, joinedSeq: 1, leftSeq: undefined, changedVersion: 1 });
      }
      return { kind: 'created', head: 0, membersVersion: 1 };
    });
  }

  addMember(request: MembershipChange): Promise<AddMemberOutcome> {
    return this.#log.transact(() => {
      const { actor, userId } = request;
      const conversation = this.#log.state.conversations.get(request.conversationId);
      const acting = presentMember(conversation, actor.userId);
      if (conversation === undefined || (!actor.manage && acting === undefined)) {
        return { kind: 'conversation_not_found' };
      }
      if (!actor.manage && acting?.role !== 'owner') return { kind: 'not_owner' };

      const present = presentMember(conversation, userId);
      if (present !== undefined) {
        return { kind: 'present', joinedSeq: present.joinedSeq, membersVersion: conversation.membersVersion };
      }
      if (memberCount(conversation) >= MEMBERS_PER_CONVERSATION_MAX) return { kind: 'conversation_full' };
      if (this.#isFull(userId)) return { kind: 'too_many_conversations' };

      this.#log.state.touchUser(userId, 1);
      conversation.membersVersion += 1;
      const joinedSeq = conversation.lastSeq + 1;
      const role =
        conversation.members.get(userId)?.role ?? (conversation.owner === userId ? 'owner' : 'member');
      const changedVersion = conversation.membersVersion;
      conversation.members.set(userId, { role, joinedSeq, leftSeq: undefined, changedVersion });
      return { kind: 'added', joinedSeq, membersVersion: changedVersion };
    });
  }

  removeMember(request: MembershipChange): Promise<RemoveMemberOutcome> {
    return this.#log.transact(() => {
      const { actor, userId } = request;
      const conversation = this.#log.state.conversations.get(request.conversationId);
      const acting = conversation?.members.get(actor.userId);
      if (conversation === undefined || (!actor.manage && acting === undefined)) {
        return { kind: 'conversation_not_found' };
      }
      if (!actor.manage && actor.userId !== userId) {
        if (acting?.leftSeq !== undefined) return { kind: 'conversation_not_found' };
        if (acting?.role !== 'owner') return { kind: 'not_owner' };
      }
      const present = presentMember(conversation, userId);
      if (present === undefined) return { kind: 'absent' };

      this.#log.state.touchUser(userId, -1);
      conversation.membersVersion += 1;
      const changedVersion = conversation.membersVersion;
      conversation.members.set(userId, { ...present, leftSeq: conversation.lastSeq, changedVersion });
      return { kind: 'removed' };
    });
  }

  listConversations(request: {
    userId: string;
    after: string | undefined;
    limit: number;
  }): Promise<ConversationView[]> {
    return this.#log.transact(() =>
      [...this.#log.state.conversations.values()]
        .filter(({ conversationId }) => request.after === undefined || conversationId > request.after)
        .sort((a, b) => (a.conversationId < b.conversationId ? -1 : 1))
        .flatMap((conversation) => {
          const member = presentMember(conversation, request.userId);
          return member === undefined ? [] : [toView(conversation, member.joinedSeq)];
        })
        .slice(0, request.limit),
    );
  }

  getConversation(request: {
    conversationId: string;
    actor: Actor;
  }): Promise<(ConversationView & { memberCount: number }) | undefined> {
    return this.#log.transact(() => {
      const conversation = this.#visible(request);
      if (conversation === undefined) return undefined;
      const joinedSeq = presentMember(conversation, request.actor.userId)?.joinedSeq ?? 1;
      return { ...toView(conversation, joinedSeq), memberCount: memberCount(conversation) };
    });
  }

  listMembers(request: {
    conversationId: string;
    actor: Actor;
    after: string | undefined;
    limit: number;
  }): Promise<MemberView[] | undefined> {
    return this.#log.transact(() => {
      const conversation = this.#visible(request);
      if (conversation === undefined) return undefined;
      return [...conversation.members]
        .filter(
          ([userId, member]) => member.leftSeq === undefined && compareBytes(userId, request.after ?? '') > 0,
        )
        .sort(([a], [b]) => compareBytes(a, b))
        .slice(0, request.limit)
        .map(([userId, { role, joinedSeq }]) => ({ userId, role, joinedSeq }));
    });
  }

  #visible(request: { conversationId: string; actor: Actor }): StoredConversation | undefined {
    const conversation = this.#log.state.conversations.get(request.conversationId);
    const allowed = request.actor.operate || presentMember(conversation, request.actor.userId) !== undefined;
    return allowed ? conversation : undefined;
  }

  #isFull(userId: string): boolean {
    return (this.#log.state.users.get(userId)?.conversationCount ?? 0) >= CONVERSATIONS_PER_USER_MAX;
  }
}

function presentMember(
  conversation: StoredConversation | undefined,
  userId: string,
): StoredMember | undefined {
  const member = conversation?.members.get(userId);
  return member?.leftSeq === undefined ? member : undefined;
}

function memberCount(conversation: StoredConversation): number {
  return [...conversation.members.values()].filter((member) => member.leftSeq === undefined).length;
}

function toView(conversation: StoredConversation, joinedSeq: number): ConversationView {
  return {
    conversationId: conversation.conversationId,
    head: conversation.lastSeq,
    min: Math.max(joinedSeq, conversation.floorSeq + 1),
    joinedSeq,
    membersVersion: conversation.membersVersion,
    lastOccurredAt: conversation.lastOccurredAt,
  };
}

/** User ids are compared by their bytes. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
