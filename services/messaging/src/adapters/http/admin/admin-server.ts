import { SCOPE_OPERATE } from '@sanctum/protocol/schemas';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bounds } from '../../../bounds.ts';
import type { Log } from '../../../log.ts';
import { fastifyApp } from '../fastify-app.ts';
import { identityOf, isUnder, tokenGuard } from '../guard.ts';
import { originAllowed } from '../origin.ts';
import { PAGE_HEADERS, pageFiles } from '../page-files.ts';
import { sendJson, sendProblem } from '../problems.ts';
import type { TokenVerifier } from '../token-verifier.ts';
import { adminOpenapi } from './admin-openapi.ts';
import { type AdminOperation, adminRouteList } from './admin-operations.ts';
import type { AdminHandler } from './admin-route.ts';

const API = '/admin/v1';

const NOT_BUILT = {
  title: 'Sanctum console',
  html: `<h1>The console is not built</h1><p>Build it with <code>pnpm build:pages</code>, then reload this page.
The API below <code>/admin/v1</code> works without it.</p>`,
};

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
  /** A smaller one than `bounds.http` has, where a test wants to reach it. */
  readonly writeStallMs?: number;
}): FastifyInstance {
  const { log, writeStallMs } = options;
  const app = fastifyApp({ log, bodyLimit: bounds.admin.bodyMaxBytes, writeStallMs });
  app.server.maxConnections = bounds.admin.connectionsMax;
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(PAGE_HEADERS);
    if (isUnder(API, request)) reply.header('cache-control', 'no-store');
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
  const files = pageFiles({ folder: options.consoleFolder, address: '/', notBuilt: NOT_BUILT });
  app.get('/', files);
  app.get('/*', files);
  return app;
}

function scopeGuard(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  if (identityOf(request).scopes.has(SCOPE_OPERATE)) done();
  else sendProblem(reply, 'scope_required');
}
