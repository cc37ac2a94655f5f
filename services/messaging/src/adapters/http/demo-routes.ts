import { formatTime } from '@sanctum/protocol';
import { check, type DemoToken, demoTokenBody } from '@sanctum/protocol/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SignJWT } from 'jose';
import { bounds } from '../../bounds.ts';
import type { Clock } from '../../clock.ts';
import { originAllowed } from './origin.ts';
import { pageFiles } from './page-files.ts';
import { send, sendJson, sendProblem } from './problems.ts';

const NOT_BUILT = {
  title: 'Sanctum demo',
  html: '<h1>The demo is not built</h1><p>Build it with <code>pnpm build:pages</code>, then reload this page.</p>',
};

export interface DemoRoutesDeps {
  readonly clock: Clock;
  readonly allowedOrigins: readonly string[] | undefined;
  readonly demo: {
    /** The page as it was built. */
    readonly folder: URL;
    /** undefined: nobody gets a token here. */
    readonly signing: DemoSigning | undefined;
  };
}

/** What tokens for the demo's people are signed with: what the service verifies all tokens with. */
export interface DemoSigning {
  readonly issuer: string;
  readonly audience: string;
  readonly secret: string;
}

/**
 * The demo chat, and where it was asked for (`DEMO_TOKENS`) tokens for its people: without a login, for whoever
 * asks, so for user ids alone that begin with `demo-`, without scopes, and for minutes.
 */
export function demoRoutes({ clock, allowedOrigins, demo: { folder, signing } }: DemoRoutesDeps) {
  const files = pageFiles({ folder, address: '/demo', notBuilt: NOT_BUILT });
  return {
    demo: files,
    demoFile: files,

    async demoToken(request: FastifyRequest, reply: FastifyReply) {
      const { origin, host } = request.headers;
      if (signing === undefined) return sendProblem(reply, 'not_found');
      if (!originAllowed(origin, host, allowedOrigins)) return sendProblem(reply, 'origin_denied');
      const body = check(demoTokenBody, request.body);
      if (!body.ok) return send(reply, body.problem);
      const nowS = Math.floor(clock.now() / 1000);
      const expiresS = nowS + bounds.demo.tokenLifetimeMs / 1000;
      const token = await new SignJWT()
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(body.value.user_id)
        .setIssuer(signing.issuer)
        .setAudience(signing.audience)
        .setIssuedAt(nowS)
        .setExpirationTime(expiresS)
        .sign(new TextEncoder().encode(signing.secret));
      const answer: DemoToken = { token, expires_at: formatTime(expiresS * 1000) };
      return sendJson(reply.header('cache-control', 'no-store'), 200, JSON.stringify(answer));
    },
  };
}
