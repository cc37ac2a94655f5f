import { SCOPE_OPERATE } from '@sanctum/protocol/schemas';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bounds } from '../../../bounds.ts';
import type { Log } from '../../../log.ts';
import { fastifyApp } from '../fastify-app.ts';
import { identityOf, tokenGuard } from '../guard.ts';
import { originAllowed } from '../origin.ts';
import { sendJson, sendProblem } from '../problems.ts';
import type { TokenVerifier } from '../token-verifier.ts';
import { adminOpenapi } from './admin-openapi.ts';
import { type AdminOperation, adminRouteList } from './admin-operations.ts';
import type { AdminHandler } from './admin-route.ts';
import { consoleFiles } from './console-files.ts';

const API = '/admin/v1';

/** A page of another origin gets nothing, neither by fetch nor in a frame; the console loads only what is its own. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/**
 * The admin server, not yet listening: `/admin/v1` for operators' tokens alone, and the console's files, which need
 * none, since they hold nothing but the page that asks for one. It shares neither port nor routes with the public one.
 */
export function createAdminServer(options: {
  readonly log: Log;
  readonly verifier: TokenVerifier;
  /** Of every operation but the specification itself. */
  readonly handlers: Readonly<Record<Exclude<AdminOperation, 'getOpenapi'>, AdminHandler>>;
  /** The console as it was built; where there is none, `/` says so. */
  readonly consoleFolder: URL;
}): FastifyInstance {
  const app = fastifyApp({ log: options.log, bodyLimit: bounds.admin.bodyMaxBytes });
  app.server.maxConnections = bounds.admin.connectionsMax;
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(HEADERS);
    if (request.url.startsWith(API)) reply.header('cache-control', 'no-store');
    const { origin, host } = request.headers;
    if (originAllowed(origin, host, undefined)) done();
    else sendProblem(reply, 'origin_denied');
  });
  const guard = [tokenGuard({ verifier: options.verifier }), scopeGuard];
  const openapiJson = JSON.stringify(adminOpenapi);
  const handlers: Record<AdminOperation, AdminHandler> = {
    ...options.handlers,
    getOpenapi: (_request, reply) => sendJson(reply, 200, openapiJson),
  };
  for (const { method, path, operation } of adminRouteList) {
    const url = path.replace(/\{(\w+)\}/g, ':$1');
    app.route({ method, url, handler: handlers[operation], onRequest: guard });
  }
  const files = consoleFiles(options.consoleFolder);
  app.get('/', files);
  app.get('/*', files);
  return app;
}

function scopeGuard(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  if (identityOf(request).scopes.has(SCOPE_OPERATE)) done();
  else sendProblem(reply, 'scope_required');
}
