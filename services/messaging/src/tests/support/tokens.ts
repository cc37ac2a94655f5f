import { SignJWT } from 'jose';

/** What the service under test is configured with, so that it takes the tokens minted here. */
export const TEST_JWT = {
  issuer: 'sanctum',
  audience: 'sanctum-messaging',
  secret: 'a-secret-for-tests-of-32-bytes-or-more',
} as const;

const DEFAULT_LIFETIME_S = 3600;

export interface TestClaims {
  readonly sub: string;
  readonly scope?: string | readonly string[];
  /** Seconds since 1970; an hour from now unless given, and none at all for null. */
  readonly exp?: number | null;
  readonly iss?: string;
  readonly aud?: string | string[];
  readonly sid?: string;
}

/** A signed HS256 token with these claims. */
export async function mintToken(claims: TestClaims, secret: string = TEST_JWT.secret): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  const { exp = nowS + DEFAULT_LIFETIME_S, iss = TEST_JWT.issuer, aud = TEST_JWT.audience, ...rest } = claims;
  const token = new SignJWT({ ...rest, ...(exp !== null && { exp }) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(nowS)
    .setIssuer(iss)
    .setAudience(aud);
  return token.sign(new TextEncoder().encode(secret));
}
