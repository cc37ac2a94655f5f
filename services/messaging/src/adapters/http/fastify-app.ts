import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { problem } from '@sanctum/protocol';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { bounds } from '../../bounds.ts';
import { reasonOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { IDENTITY } from './guard.ts';
import { ProblemError, problemOfError, send, sendProblem } from './problems.ts';

/**
 * What the public and the admin server have in common: bounds, JSON alone, problems for everything that goes wrong.
 * `preflight` answers an OPTIONS of an address that is served with these methods; without it, it is refused.
 */
export function fastifyApp(options: {
  readonly log: Log;
  readonly bodyLimit: number;
  readonly writeStallMs?: number | undefined;
  readonly preflight?: (
    request: FastifyRequest,
    reply: FastifyReply,
    methods: readonly string[],
  ) => FastifyReply;
}): FastifyInstance {
  const app = fastify({
    bodyLimit: options.bodyLimit,
    routerOptions: { maxParamLength: bounds.http.parameterMaxChars },
    http: { maxHeaderSize: bounds.http.headersMaxBytes, headersTimeout: bounds.http.headersTimeoutMs },
    requestTimeout: bounds.http.requestTimeoutMs,
    // Not of idle connections, whose timeout is the next one, nor of sockets that have been upgraded.
    connectionTimeout: options.writeStallMs ?? bounds.http.writeStallMs,
    keepAliveTimeout: bounds.http.keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    // Who is draining says so in /readyz; what still comes is served.
    return503OnClosing: false,
    frameworkErrors: (error, _request, reply) => void send(reply, problemOfError(error)),
    clientErrorHandler: answerBrokenRequest,
  });
  app.decorateRequest(IDENTITY, undefined);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // PUT and DELETE need none, though a client may name its type.
    if (body.length === 0 && request.method !== 'POST') done(null, undefined);
    else parseJson(body as Buffer, done);
  });
  app.setErrorHandler((error, request, reply) => {
    const answer = problemOfError(error);
    if (answer.code === 'internal') {
      options.log.error('http_internal_error', {
        route: request.routeOptions.url,
        reason: reasonOf(error),
      });
    }
    return send(reply, answer);
  });
  answerUnmatched(app, options.preflight);
  return app;
}

/** An address that no route serves with this method: 404, or 405 where others serve it. Also every preflight. */
function answerUnmatched(
  app: FastifyInstance,
  preflight: Parameters<typeof fastifyApp>[0]['preflight'],
): void {
  const served = new Map<string, { pattern: RegExp; methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(
      `^${url
        .replace(/[.+?^$()[\]\\|]/g, '\\$&')
        .replace(/:\w+/g, '[^/]+')
        .replace('*', '.*')}$`,
    );
    const entry = served.get(url) ?? { pattern, methods: new Set<string>() };
    for (const each of [method].flat()) entry.methods.add(each);
    served.set(url, entry);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!;
    const methods = [...served.values()]
      .filter(({ pattern }) => pattern.test(path))
      .flatMap((entry) => [...entry.methods]);
    if (methods.length === 0) return sendProblem(reply, 'not_found');
    if (preflight !== undefined && request.method === 'OPTIONS') return preflight(request, reply, methods);
    const allowed = preflight === undefined ? methods : [...methods, 'OPTIONS'];
    return sendProblem(reply.header('allow', allowed.join(', ')), 'method_not_allowed');
  });
}

function parseJson(body: Buffer, done: (error: Error | null, value?: unknown) => void): void {
  if (!isUtf8(body)) return done(new ProblemError('invalid_json'));
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return done(new ProblemError('invalid_json'));
  }
  done(null, value);
}

/** What is not even HTTP, or came too slowly or too large: answered by hand, then closed. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return void socket.destroy();
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  const body = JSON.stringify(problem('invalid_parameter'));
  const content = status.startsWith('400')
    ? `content-type: application/problem+json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    : 'content-length: 0\r\n\r\n';
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n${content}`);
}
