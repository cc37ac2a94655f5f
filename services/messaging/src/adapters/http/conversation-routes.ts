import { randomUUID } from 'node:crypto';
import { formatTime, isUserId, isUuid, problem } from '@sanctum/protocol';
import {
  type AddedMember,
  check,
  checkParameters,
  type Conversation,
  conversationParams,
  createConversationBody,
  type CreatedConversation,
  memberParams,
  pageQuery,
} from '@sanctum/protocol/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ConversationLog, ConversationView, MemberView } from '../../ports.ts';
import type { CallGate } from './call-gate.ts';
import { identityOf } from './guard.ts';
import { actorOf } from './message-routes.ts';
import { decodeCursor, encodeCursor } from './page-cursor.ts';
import { send, sendJson, sendProblem } from './problems.ts';

export interface ConversationRoutesDeps {
  readonly conversations: ConversationLog;
  /** Memberships of these users have changed, and that is committed. Must not throw. */
  readonly onMembershipChanged: (change: { conversationId: string; userIds: readonly string[] }) => void;
}

export function conversationRoutes(
  { conversations, onMembershipChanged }: ConversationRoutesDeps,
  gate: CallGate,
) {
  return {
    async createConversation(request: FastifyRequest, reply: FastifyReply) {
      const body = check(createConversationBody, request.body);
      if (!body.ok) return send(reply, body.problem);
      const owner = identityOf(request).userId;
      const { conversation_id: conversationId = randomUUID(), members } = body.value;
      const outcome = await gate.run(owner, () =>
        conversations.createConversation({ conversationId, owner, members }),
      );
      if (outcome.kind !== 'created' && outcome.kind !== 'same') return sendProblem(reply, outcome.kind);
      if (outcome.kind === 'created')
        onMembershipChanged({ conversationId, userIds: [...new Set([owner, ...members])] });
      const { head, membersVersion } = outcome;
      const answer: CreatedConversation = {
        conversation_id: conversationId,
        owner,
        head,
        members_version: membersVersion,
      };
      return sendJson(reply, outcome.kind === 'created' ? 201 : 200, JSON.stringify(answer));
    },

    async listConversations(request: FastifyRequest, reply: FastifyReply) {
      const page = readPage(request.query, isUuid);
      if (!page.ok) return send(reply, page.problem);
      const { after, limit } = page;
      const { userId } = identityOf(request);
      // One more than asked for tells whether there is a next page.
      const found = await gate.run(userId, () =>
        conversations.listConversations({ userId, after, limit: limit + 1 }),
      );
      const views = found.slice(0, limit);
      return sendJson(
        reply,
        200,
        JSON.stringify({
          conversations: views.map(conversationJson),
          next_cursor: found.length > limit ? encodeCursor(views.at(-1)!.conversationId) : null,
        }),
      );
    },

    async getConversation(request: FastifyRequest, reply: FastifyReply) {
      const params = checkParameters(conversationParams, request.params);
      if (!params.ok) return send(reply, params.problem);
      const actor = actorOf(identityOf(request));
      const view = await gate.run(actor.userId, () =>
        conversations.getConversation({ conversationId: params.value.id, actor }),
      );
      if (view === undefined) return sendProblem(reply, 'conversation_not_found');
      return sendJson(
        reply,
        200,
        JSON.stringify({ ...conversationJson(view), member_count: view.memberCount }),
      );
    },

    async listMembers(request: FastifyRequest, reply: FastifyReply) {
      const params = checkParameters(conversationParams, request.params);
      if (!params.ok) return send(reply, params.problem);
      const page = readPage(request.query, isUserId);
      if (!page.ok) return send(reply, page.problem);
      const { after, limit } = page;
      const actor = actorOf(identityOf(request));
      const conversationId = params.value.id;
      const found = await gate.run(actor.userId, () =>
        conversations.listMembers({ conversationId, actor, after, limit: limit + 1 }),
      );
      if (found === undefined) return sendProblem(reply, 'conversation_not_found');
      const views = found.slice(0, limit);
      return sendJson(
        reply,
        200,
        JSON.stringify({
          members: views.map(memberJson),
          next_cursor: found.length > limit ? encodeCursor(views.at(-1)!.userId) : null,
        }),
      );
    },

    async addMember(request: FastifyRequest, reply: FastifyReply) {
      const params = checkParameters(memberParams, request.params);
      if (!params.ok) return send(reply, params.problem);
      const { id: conversationId, user_id: userId } = params.value;
      const actor = actorOf(identityOf(request));
      const outcome = await gate.run(actor.userId, () =>
        conversations.addMember({ conversationId, actor, userId }),
      );
      if (outcome.kind !== 'added' && outcome.kind !== 'present') return sendProblem(reply, outcome.kind);
      if (outcome.kind === 'added') onMembershipChanged({ conversationId, userIds: [userId] });
      const answer: AddedMember = { user_id: userId, joined_seq: outcome.joinedSeq };
      return sendJson(reply, 200, JSON.stringify(answer));
    },

    async removeMember(request: FastifyRequest, reply: FastifyReply) {
      const params = checkParameters(memberParams, request.params);
      if (!params.ok) return send(reply, params.problem);
      const { id: conversationId, user_id: userId } = params.value;
      const actor = actorOf(identityOf(request));
      const outcome = await gate.run(actor.userId, () =>
        conversations.removeMember({ conversationId, actor, userId }),
      );
      if (outcome.kind !== 'removed' && outcome.kind !== 'absent') return sendProblem(reply, outcome.kind);
      if (outcome.kind === 'removed') onMembershipChanged({ conversationId, userIds: [userId] });
      return reply.code(204).send();
    },
  };
}

function readPage(query: unknown, isKey: (key: unknown) => key is string) {
  const checked = checkParameters(pageQuery, query);
  if (!checked.ok) return checked;
  const { cursor, limit } = checked.value;
  const after = cursor === undefined ? undefined : decodeCursor(cursor, isKey);
  if (cursor !== undefined && after === undefined)
    return { ok: false as const, problem: problem('invalid_parameter') };
  return { ok: true as const, after, limit };
}

function conversationJson(view: ConversationView): Conversation {
  return {
    conversation_id: view.conversationId,
    head: view.head,
    min: view.min,
    joined_seq: view.joinedSeq,
    members_version: view.membersVersion,
    last_occurred_at: view.lastOccurredAt === undefined ? null : formatTime(view.lastOccurredAt),
  };
}

function memberJson({ userId, role, joinedSeq }: MemberView) {
  return { user_id: userId, role, joined_seq: joinedSeq };
}
