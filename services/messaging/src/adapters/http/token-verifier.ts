import { hash } from 'node:crypto';
import { parseTokenClaims, type TokenIdentity } from '@sanctum/protocol/schemas';
import { errors, jwtVerify } from 'jose';
import { bounds } from '../../bounds.ts';
import type { Clock } from '../../clock.ts';
import type { VerifyingKey } from '../../config.ts';
import { Fault } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { RefusedToken, TokenVerifier, VerifiedToken } from '../../realtime/token.ts';
import { type VerifyingKeys, verifyingKeys } from './verifying-keys.ts';

export type { TokenVerifier };

/** Who a token says is speaking. */
export type Identity = Omit<VerifiedToken, 'ok'>;

export type TokenResult = VerifiedToken | RefusedToken;

const MISSING: TokenResult = { ok: false, code: 'token_missing' };
const INVALID: TokenResult = { ok: false, code: 'token_invalid' };
const EXPIRED: TokenResult = { ok: false, code: 'token_expired' };
const REVOKED: TokenResult = { ok: false, code: 'revoked' };
const UNAVAILABLE: TokenResult = { ok: false, code: 'unavailable' };

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i;

/** The token of an `Authorization` header: '' where it holds no well-formed one, undefined without the header. */
export function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  return BEARER.exec(authorization)?.[1] ?? '';
}

/**
 * Verifies tokens, and remembers the valid ones until they expire: a signature costs more than all the rest of
 * a request. What is remembered is a token's SHA-256, so that no token lies about in memory.
 */
export function createTokenVerifier(
  settings: { readonly issuer: string; readonly audience: string; readonly key: VerifyingKey },
  deps: {
    readonly clock: Clock;
    readonly log: Log;
    readonly fetch?: typeof fetch;
    /** This login, or all of this user's, has been revoked. */
    readonly isRevoked?: (identity: Identity) => boolean;
  },
): TokenVerifier {
  const keys = verifyingKeys(settings.key, deps);
  const known = new Map<string, TokenResult & { ok: true }>();

  return {
    verify(token) {
      if (token === undefined) return MISSING;
      if (token === '' || token.length > bounds.auth.tokenMaxChars) return INVALID;
      const digest = hash('sha256', token, 'base64');
      const remembered = known.get(digest);
      if (remembered === undefined) return verifyAnew(token, digest);
      known.delete(digest);
      if (deps.clock.now() >= remembered.expiresAt + bounds.auth.clockToleranceMs) return EXPIRED;
      known.set(digest, remembered);
      return unlessRevoked(remembered);
    },
  };

  /** Asked each time, and last: a revocation strikes tokens that are remembered, too. */
  function unlessRevoked(result: TokenResult & { ok: true }): TokenResult {
    return deps.isRevoked?.(result) === true ? REVOKED : result;
  }

  async function verifyAnew(token: string, digest: string): Promise<TokenResult> {
    const result = await verifyToken(token, { ...settings, keys, now: new Date(deps.clock.now()) });
    if (result.ok) {
      // A map keeps the order of insertion, and a hit inserts anew: the first is the least recently used.
      if (known.size >= bounds.auth.verifiedTokensMax) known.delete(known.keys().next().value!);
      known.set(digest, result);
      return unlessRevoked(result);
    }
    return result;
  }
}

async function verifyToken(
  token: string,
  options: { issuer: string; audience: string; keys: VerifyingKeys; now: Date },
): Promise<TokenResult> {
  try {
    const { payload } = await jwtVerify(token, (header, input) => options.keys.keyFor(header, input), {
      algorithms: [...options.keys.algorithms],
      issuer: options.issuer,
      audience: options.audience,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: bounds.auth.clockToleranceMs / 1000,
      currentDate: options.now,
    });
    const claims = parseTokenClaims(payload);
    return claims.ok ? { ok: true, ...identityOf(claims.identity, options.now.getTime()) } : INVALID;
  } catch (error) {
    if (error instanceof errors.JWTExpired) return EXPIRED;
    if (error instanceof Fault && error.retryable) return UNAVAILABLE;
    return INVALID;
  }
}

function identityOf({ userId, scopes, expiresAtMs, issuedAtMs, sid }: TokenIdentity, now: number): Identity {
  // No token comes from the future. One that says so (in milliseconds, perhaps) would be struck by no revocation.
  const issuedAt = issuedAtMs <= now + bounds.auth.clockToleranceMs ? issuedAtMs : 0;
  return { userId, scopes, expiresAt: expiresAtMs, issuedAt, ...(sid !== undefined && { sid }) };
}
