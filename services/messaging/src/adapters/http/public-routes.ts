import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../../metrics.ts';
import type { Readiness } from '../../operations/readiness.ts';
import { asyncapi } from './asyncapi.ts';
import { docsPage } from './docs-page.ts';
import { openapi } from './openapi.ts';
import { sendJson } from './problems.ts';

export interface PublicRoutesDeps {
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly readiness: () => Readiness | Promise<Readiness>;
}

/** What needs no token: health, metrics, specifications. */
export function publicRoutes({ metrics: { registry }, readiness }: PublicRoutesDeps) {
  const openapiJson = JSON.stringify(openapi);
  const asyncapiJson = JSON.stringify(asyncapi);
  const docs = docsPage({ openapi, asyncapi });
  return {
    health: (_request: FastifyRequest, reply: FastifyReply) => sendJson(reply, 200, '{"status":"ok"}'),

    async readiness(_request: FastifyRequest, reply: FastifyReply) {
      const { ready, degraded, reasons } = await readiness();
      const answer = ready ? { status: 'ready', degraded } : { status: 'not_ready', reasons, degraded };
      return sendJson(reply.header('cache-control', 'no-store'), ready ? 200 : 503, JSON.stringify(answer));
    },

    async metrics(_request: FastifyRequest, reply: FastifyReply) {
      return reply.header('content-type', registry.contentType).send(await registry.metrics());
    },

    async transportMetrics(_request: FastifyRequest, reply: FastifyReply) {
      const names = registry.getMetricsAsArray().map((metric) => metric.name);
      const texts = names
        .filter((name) => name.startsWith('transport_'))
        .map((name) => registry.getSingleMetricAsString(name));
      return reply
        .header('content-type', registry.contentType)
        .send(`${(await Promise.all(texts)).join('\n')}\n`);
    },

    openapi: (_request: FastifyRequest, reply: FastifyReply) => sendJson(reply, 200, openapiJson),
    asyncapi: (_request: FastifyRequest, reply: FastifyReply) => sendJson(reply, 200, asyncapiJson),
    docs: (_request: FastifyRequest, reply: FastifyReply) =>
      reply
        .header('content-security-policy', docs.contentSecurityPolicy)
        .header('content-type', 'text/html; charset=utf-8')
        .send(docs.html),
  };
}
