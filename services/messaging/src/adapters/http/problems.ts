import { type ErrorCode, type Problem, problem, PROBLEM_MEDIA_TYPE } from '@sanctum/protocol';
import type { FastifyReply } from 'fastify';
import { bounds } from '../../bounds.ts';
import { Fault } from '../../errors.ts';

/** A refusal from below a handler, on its way to the error handler. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, retryAfterMs?: number) {
    super(code);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Sends the problem of a code. Nothing of the request is in it. */
export function sendProblem(reply: FastifyReply, code: ErrorCode, retryAfterMs?: number): FastifyReply {
  return send(reply, problem(code, retryAfterMs === undefined ? {} : { retryAfterMs }));
}

/** Sends a problem that a schema found. */
export function send(reply: FastifyReply, answer: Problem): FastifyReply {
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer');
  if (answer.retry_after_ms !== undefined) {
    reply.header('retry-after', Math.max(1, Math.ceil(answer.retry_after_ms / 1000)));
  }
  // Bytes, since the framework puts a charset behind the media type of a text; JSON has none.
  return reply
    .code(answer.status)
    .header('content-type', PROBLEM_MEDIA_TYPE)
    .send(Buffer.from(JSON.stringify(answer)));
}

/** What an error of the framework, a port or a handler is to the client; `internal` where it is our fault. */
export function problemOfError(error: unknown): Problem {
  if (error instanceof ProblemError) {
    return problem(error.code, error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs });
  }
  if (error instanceof Fault) {
    if (error.code === 'unavailable')
      return problem('unavailable', { retryAfterMs: bounds.http.retryAfterMs });
    if (error.code === 'contention') return problem('overloaded', { retryAfterMs: bounds.http.retryAfterMs });
    return problem('internal');
  }
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return problem('payload_too_large');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return problem('unsupported_media_type');
  if (code === 'FST_ERR_BAD_URL' || code === 'FST_ERR_MAX_PARAM_LENGTH') return problem('invalid_parameter');
  // What else the framework refuses is about the body: its length, or a connection that ended within it.
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) return problem('invalid_body');
  return problem('internal');
}

export function sendJson(reply: FastifyReply, status: number, json: string): FastifyReply {
  return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(json);
}
