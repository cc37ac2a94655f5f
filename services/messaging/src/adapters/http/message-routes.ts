import { type ErrorCode, formatTime } from '@sanctum/protocol';
import {
  checkParameters,
  conversationParams,
  historyQuery,
  parsePostMessage,
  SCOPE_MANAGE,
  SCOPE_OPERATE,
} from '@sanctum/protocol/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IntakeOutcome, MessageDraft } from '../../intake/intake.ts';
import type { Actor } from '../../ports.ts';
import type { CallGate } from './call-gate.ts';
import { identityOf } from './guard.ts';
import { type HistoryDeps, readHistory } from './history.ts';
import { send, sendJson, sendProblem } from './problems.ts';
import type { Identity } from './token-verifier.ts';

export interface MessageRoutesDeps extends HistoryDeps {
  readonly intake: { post(draft: MessageDraft): Promise<IntakeOutcome> };
  readonly payloadMaxBytes: number;
}

export function messageRoutes(deps: MessageRoutesDeps, gate: CallGate) {
  return {
    async postMessage(request: FastifyRequest, reply: FastifyReply) {
      const params = checkParameters(conversationParams, request.params);
      if (!params.ok) return send(reply, params.problem);
      const body = parsePostMessage(request.body, deps.payloadMaxBytes);
      if (!body.ok) return send(reply, body.problem);
      const { message_id: messageId, ciphertext, encryption } = body.value;
      const conversationId = params.value.id;
      const sender = identityOf(request).userId;
      const outcome = await deps.intake.post({ conversationId, messageId, sender, ciphertext, encryption });
      switch (outcome.kind) {
        case 'accepted':
        case 'duplicate': {
          const isReplay = outcome.kind === 'duplicate';
          if (isReplay) reply.header('idempotent-replay', 'true');
          // Ids and times consist of characters that JSON does not escape.
          return sendJson(
            reply,
            isReplay ? 200 : 201,
            `{"message_id":"${messageId}","conversation_id":"${conversationId}","seq":${outcome.seq},` +
              `"epoch":${outcome.epoch},"occurred_at":"${formatTime(outcome.occurredAt)}"}`,
          );
        }
        case 'overloaded':
        case 'unavailable':
          return sendProblem(reply, outcome.kind, outcome.retryAfterMs);
        default:
          return sendProblem(reply, REFUSALS[outcome.kind]);
      }
    },

    async readHistory(request: FastifyRequest, reply: FastifyReply) {
      const params = checkParameters(conversationParams, request.params);
      if (!params.ok) return send(reply, params.problem);
      const query = checkParameters(historyQuery, request.query);
      if (!query.ok) return send(reply, query.problem);
      const actor = actorOf(identityOf(request));
      const { after, limit } = query.value;
      const answer = await gate.run(actor.userId, () =>
        readHistory(deps, { conversationId: params.value.id, actor, after, limit }),
      );
      return answer.kind === 'page' ? sendJson(reply, 200, answer.json) : sendProblem(reply, answer.kind);
    },
  };
}

const REFUSALS = {
  reused: 'message_id_reused',
  not_member: 'conversation_not_found',
  internal: 'internal',
} as const satisfies Record<string, ErrorCode>;

/** Who asks, as the ports know it. */
export function actorOf({ userId, scopes }: Identity): Actor {
  return { userId, manage: scopes.has(SCOPE_MANAGE), operate: scopes.has(SCOPE_OPERATE) };
}
