import { check, checkParameters } from '@sanctum/protocol/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { identityOf } from '../guard.ts';
import { send, sendJson } from '../problems.ts';
import type { Identity } from '../token-verifier.ts';

/** What a handler gets: everything checked against its schema. */
export interface AdminCall<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Who asks: the token's `sub`. */
  readonly by: string;
  readonly identity: Identity;
}

export interface AdminAnswer {
  readonly status?: number;
  readonly body: object;
}

/** A route of the admin API; behind the guard, which has seen to the token and its scope. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown;
}

/** A route whose answer is one JSON object. What the schemas refuse never reaches `handle`. */
export function adminRoute<
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
>(
  method: AdminRoute['method'],
  path: string,
  schemas: { readonly params?: P; readonly query?: Q; readonly body?: B },
  handle: (call: AdminCall<z.output<P>, z.output<Q>, z.output<B>>) => Promise<AdminAnswer>,
): AdminRoute {
  return {
    method,
    path,
    async handler(request, reply) {
      const params = schemas.params === undefined ? NOTHING : checkParameters(schemas.params, request.params);
      if (!params.ok) return send(reply, params.problem);
      const query = schemas.query === undefined ? NOTHING : checkParameters(schemas.query, request.query);
      if (!query.ok) return send(reply, query.problem);
      const body = schemas.body === undefined ? NOTHING : check(schemas.body, request.body);
      if (!body.ok) return send(reply, body.problem);
      const identity = identityOf(request);
      const answer = await handle({
        params: params.value as z.output<P>,
        query: query.value as z.output<Q>,
        body: body.value as z.output<B>,
        by: identity.userId,
        identity,
      });
      return sendJson(reply, answer.status ?? 200, JSON.stringify(answer.body));
    },
  };
}

const NOTHING = { ok: true, value: undefined } as const;
