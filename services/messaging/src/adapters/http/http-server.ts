import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { base64Length, problem } from '@sanctum/protocol';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { bounds } from '../../bounds.ts';
import type { Clock } from '../../clock.ts';
import { reasonOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import { CallGate } from './call-gate.ts';
import { conversationRoutes, type ConversationRoutesDeps } from './conversation-routes.ts';
import { type GuardDeps, IDENTITY, isV1, originGuard, sendPreflight, tokenGuard } from './guard.ts';
import { messageRoutes, type MessageRoutesDeps } from './message-routes.ts';
import { ProblemError, problemOfError, send, sendProblem } from './problems.ts';
import { publicRoutes, type PublicRoutesDeps } from './public-routes.ts';
import { requestMetrics } from './request-metrics.ts';
import { isGuarded, type Operation, routeList } from './routes.ts';

export interface HttpServerDeps
  extends GuardDeps, ConversationRoutesDeps, MessageRoutesDeps, PublicRoutesDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** undefined: the same origin only. */
  readonly allowedOrigins: readonly string[] | undefined;
  readonly maxClients: number;
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;

/**
 * The public HTTP server, not yet listening. Routes come from the table in routes.ts; a page may be added before
 * `listen`, and the WebSocket adapter takes its upgrades from `server`.
 */
export function createHttpServer(deps: HttpServerDeps): FastifyInstance {
  const messageBodyMaxBytes = Math.ceil(
    base64Length(deps.payloadMaxBytes) * (1 + bounds.http.messageBodyEscapes) +
      bounds.http.messageBodyOverheadBytes,
  );
  const app = fastify({
    bodyLimit: bounds.http.createBodyMaxBytes,
    routerOptions: { maxParamLength: bounds.http.parameterMaxChars },
    http: { maxHeaderSize: bounds.http.headersMaxBytes, headersTimeout: bounds.http.headersTimeoutMs },
    requestTimeout: bounds.http.requestTimeoutMs,
    keepAliveTimeout: bounds.http.keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    // Who is draining says so in /readyz; what still comes is served.
    return503OnClosing: false,
    frameworkErrors: (error, _request, reply) => void send(reply, problemOfError(error)),
    clientErrorHandler: answerBrokenRequest,
  });
  app.server.maxConnections = deps.maxClients + bounds.http.plainConnectionsMax;

  app.decorateRequest(IDENTITY, undefined);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    if (isV1(request)) reply.header('cache-control', 'no-store');
    done();
  });
  app.addHook('onRequest', originGuard(deps.allowedOrigins));
  app.addHook('onResponse', requestMetrics(deps.metrics));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // PUT and DELETE need none, though a client may name its type.
    if (body.length === 0 && request.method !== 'POST') done(null, undefined);
    else parseJson(body as Buffer, done);
  });
  app.setErrorHandler((error, request, reply) => {
    const answer = problemOfError(error);
    if (answer.code === 'internal') {
      deps.log.error('http_internal_error', { route: request.routeOptions.url, reason: reasonOf(error) });
    }
    return send(reply, answer);
  });
  answerUnmatched(app);

  const gate = new CallGate(deps.clock);
  const handlers: Record<Operation, Handler> = {
    ...conversationRoutes(deps, gate),
    ...messageRoutes(deps, gate),
    ...publicRoutes(deps),
  };
  const guard = tokenGuard(deps);
  for (const route of routeList) {
    app.route({
      method: route.method,
      url: route.path.replace(/\{(\w+)\}/g, ':$1'),
      handler: handlers[route.operation],
      ...(isGuarded(route) && { onRequest: guard }),
      ...(route.operation === 'postMessage' && { bodyLimit: messageBodyMaxBytes }),
      ...((route.method === 'PUT' || route.method === 'DELETE') && { preHandler: refuseBody }),
    });
  }
  return app;
}

/** An address that no route serves with this method: 404, or 405 where others serve it. Also every preflight. */
function answerUnmatched(app: FastifyInstance): void {
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
    if (request.method === 'OPTIONS') return sendPreflight(request, reply, methods);
    return sendProblem(reply.header('allow', [...methods, 'OPTIONS'].join(', ')), 'method_not_allowed');
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

/** PUT and DELETE say all in their address: a body is empty, or an object without fields. */
function refuseBody(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { body } = request;
  if (body === undefined || body === null) return done();
  if (typeof body !== 'object' || Array.isArray(body)) sendProblem(reply, 'invalid_body');
  else if (Object.keys(body).length > 0) sendProblem(reply, 'unknown_field');
  else done();
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
