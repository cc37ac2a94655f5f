import { adminSchemas } from '@sanctum/protocol/admin';
import { check, checkParameters } from '@sanctum/protocol/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { identityOf } from '../guard.ts';
import { send, sendJson } from '../problems.ts';
import type { Identity } from '../token-verifier.ts';
import { type AdminOperation, adminOperations, type AdminRouteSpec } from './admin-operations.ts';

type Schemas = typeof adminSchemas;
type Operations = typeof adminOperations;
type Output<Name> = Name extends keyof Schemas ? z.output<Schemas[Name]> : undefined;
type NameOf<O extends AdminOperation, Part extends string> =
  Operations[O] extends Readonly<Record<Part, infer Name>> ? Name : undefined;

/** What a handler gets: everything checked against the schemas that the table of operations names. */
export interface AdminCall<O extends AdminOperation> {
  readonly params: Output<NameOf<O, 'params'>>;
  readonly query: Output<NameOf<O, 'query'>>;
  readonly body: NameOf<O, 'body'> extends { readonly schema: infer Name } ? Output<Name> : undefined;
  /** Who asks: the token's `sub`. */
  readonly by: string;
  readonly identity: Identity;
}

export interface AdminAnswer {
  readonly status?: number;
  readonly body: object;
}

/** Serves one operation; behind the guard, which has seen to the token and its scope. */
export type AdminHandler = (request: FastifyRequest, reply: FastifyReply) => unknown;

/** Handlers whose answers are one JSON object. What the schemas refuse never reaches them. */
export function adminHandlers<O extends AdminOperation>(handlers: {
  readonly [Name in O]: (call: AdminCall<Name>) => Promise<AdminAnswer>;
}): Record<O, AdminHandler> {
  const names = Object.keys(handlers) as O[];
  return Object.fromEntries(names.map((name) => [name, handlerOf(name, handlers[name])])) as Record<
    O,
    AdminHandler
  >;
}

function handlerOf<O extends AdminOperation>(
  operation: O,
  handle: (call: AdminCall<O>) => Promise<AdminAnswer>,
): AdminHandler {
  const spec: AdminRouteSpec = adminOperations[operation];
  return async (request, reply) => {
    const params = spec.params ? checkParameters(adminSchemas[spec.params], request.params) : NOTHING;
    if (!params.ok) return send(reply, params.problem);
    const query = spec.query ? checkParameters(adminSchemas[spec.query], request.query) : NOTHING;
    if (!query.ok) return send(reply, query.problem);
    const body = spec.body ? check(adminSchemas[spec.body.schema], request.body) : NOTHING;
    if (!body.ok) return send(reply, body.problem);
    const identity = identityOf(request);
    const answer = await handle({
      params: params.value,
      query: query.value,
      body: body.value,
      by: identity.userId,
      identity,
    } as AdminCall<O>);
    return sendJson(reply, answer.status ?? 200, JSON.stringify(answer.body));
  };
}

const NOTHING = { ok: true, value: undefined } as const;
