import { base64Length } from '@sanctum/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bounds } from '../../bounds.ts';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import { CallGate } from './call-gate.ts';
import { conversationRoutes, type ConversationRoutesDeps } from './conversation-routes.ts';
import { demoRoutes, type DemoRoutesDeps } from './demo-routes.ts';
import { fastifyApp } from './fastify-app.ts';
import { type GuardDeps, isUnder, originGuard, rateGuard, sendPreflight, tokenGuard } from './guard.ts';
import { messageRoutes, type MessageRoutesDeps } from './message-routes.ts';
import { sendProblem } from './problems.ts';
import { publicRoutes, type PublicRoutesDeps } from './public-routes.ts';
import { requestMetrics } from './request-metrics.ts';
import { isGuarded, type Operation, routeList } from './routes.ts';
import { type RateLimit, UserRates } from './user-rates.ts';

export interface HttpServerDeps
  extends GuardDeps, ConversationRoutesDeps, MessageRoutesDeps, PublicRoutesDeps, DemoRoutesDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** undefined: the same origin only. */
  readonly allowedOrigins: readonly string[] | undefined;
  readonly maxClients: number;
  /** These two: smaller ones than `bounds.http` has, where a test wants to reach them. */
  readonly rates?: Readonly<Record<'userPosts' | 'userCalls', RateLimit>>;
  readonly writeStallMs?: number;
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
  const app = fastifyApp({
    log: deps.log,
    bodyLimit: bounds.http.createBodyMaxBytes,
    writeStallMs: deps.writeStallMs,
    preflight: sendPreflight,
  });
  app.server.maxConnections = deps.maxClients + bounds.http.plainConnectionsMax;

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    if (isUnder('/v1', request)) reply.header('cache-control', 'no-store');
    done();
  });
  app.addHook('onRequest', originGuard(deps.allowedOrigins));
  app.addHook('onResponse', requestMetrics(deps.metrics));

  const gate = new CallGate(deps.clock);
  const handlers: Record<Operation, Handler> = {
    ...conversationRoutes(deps, gate),
    ...messageRoutes(deps, gate),
    ...publicRoutes(deps),
    ...demoRoutes(deps),
  };
  const guard = tokenGuard(deps);
  const { userPosts, userCalls } = deps.rates ?? bounds.http;
  const rate = (limit: RateLimit) => rateGuard(new UserRates(deps.clock, limit, bounds.http.userRatesMax));
  const [postRate, callRate] = [rate(userPosts), rate(userCalls)];
  for (const route of routeList) {
    app.route({
      method: route.method,
      url: route.path.replace(/\{(\w+)\}/g, ':$1'),
      handler: handlers[route.operation],
      ...(isGuarded(route) && {
        onRequest: [guard, route.operation === 'postMessage' ? postRate : callRate],
      }),
      ...(route.operation === 'postMessage' && { bodyLimit: messageBodyMaxBytes }),
      ...((route.method === 'PUT' || route.method === 'DELETE') && { preHandler: refuseBody }),
    });
  }
  return app;
}

/** PUT and DELETE say all in their address: a body is empty, or an object without fields. */
function refuseBody(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { body } = request;
  if (body === undefined || body === null) return done();
  if (typeof body !== 'object' || Array.isArray(body)) sendProblem(reply, 'invalid_body');
  else if (Object.keys(body).length > 0) sendProblem(reply, 'unknown_field');
  else done();
}
