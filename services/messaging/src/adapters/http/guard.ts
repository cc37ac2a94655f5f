import type { FastifyReply, FastifyRequest } from 'fastify';
import { bounds } from '../../bounds.ts';
import { originAllowed } from './origin.ts';
import { sendProblem } from './problems.ts';
import { bearerToken, type Identity, type TokenResult, type TokenVerifier } from './token-verifier.ts';
import type { UserRates } from './user-rates.ts';

/** The request's property that holds who asks. */
export const IDENTITY = 'identity';

const JSON_BODY = /^application\/json *(?:; *charset="?utf-8"? *)?$/i;
const EXPOSED_HEADERS = 'idempotent-replay, retry-after';
const ALLOWED_HEADERS = 'authorization, content-type';

export interface GuardDeps {
  readonly verifier: TokenVerifier;
}

/** Who asks; known on every route behind a token. */
export function identityOf(request: FastifyRequest): Identity {
  return request.getDecorator<Identity>(IDENTITY);
}

/** Before anything of the body is read: who asks, and whether the body is of a kind that is taken. */
export function tokenGuard({ verifier }: GuardDeps) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const finish = (result: TokenResult) => {
      if (!result.ok) {
        sendProblem(reply, result.code, result.code === 'unavailable' ? bounds.auth.retryAfterMs : undefined);
      } else if (!isTakenBody(request)) sendProblem(reply, 'unsupported_media_type');
      else {
        request.setDecorator<Identity>(IDENTITY, result);
        done();
      }
    };
    const result = verifier.verify(bearerToken(request.headers.authorization));
    // Most tokens are known, and known at once.
    if (result instanceof Promise) void result.then(finish);
    else finish(result);
  };
}

/** Who asks too often is told when to come again, before anything of the body is read. Stands behind `tokenGuard`. */
export function rateGuard(rates: UserRates) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const waitMs = rates.take(identityOf(request).userId);
    if (waitMs > 0) sendProblem(reply, 'rate_limited', waitMs);
    else done();
  };
}

/** JSON in UTF-8 and not encoded any further; or no body at all, where the handler decides. */
function isTakenBody({ method, headers }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  if (headers['content-encoding'] !== undefined) return false;
  const type = headers['content-type'];
  if (type !== undefined) return JSON_BODY.test(type);
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
  return !hasBody && method !== 'POST';
}

/** Browsers of other origins: refused on `/v1`, else told what they may read. Also answers their preflights. */
export function originGuard(allowedOrigins: readonly string[] | undefined) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const { origin, host } = request.headers;
    if (origin !== undefined) {
      reply.header('vary', 'Origin');
      if (originAllowed(origin, host, allowedOrigins)) {
        reply
          .header('access-control-allow-origin', origin)
          .header('access-control-expose-headers', EXPOSED_HEADERS);
      } else if (isUnder('/v1', request)) {
        sendProblem(reply, 'origin_denied');
        return;
      }
    }
    done();
  };
}

export function sendPreflight(
  request: FastifyRequest,
  reply: FastifyReply,
  methods: readonly string[],
): FastifyReply {
  const allow = [...methods, 'OPTIONS'].join(', ');
  if (request.headers['access-control-request-method'] !== undefined) {
    reply
      .header('access-control-allow-methods', allow)
      .header('access-control-allow-headers', ALLOWED_HEADERS)
      .header('access-control-max-age', bounds.http.preflightMaxAgeSeconds);
  }
  return reply.code(204).header('allow', allow).send();
}

/** Also where the address is written otherwise, as `/%761/`: the router reads it decoded. */
export function isUnder(prefix: string, { url, routeOptions }: FastifyRequest): boolean {
  return url.startsWith(prefix) || routeOptions.url?.startsWith(prefix) === true;
}
