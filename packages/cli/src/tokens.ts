import { loadConfig } from '@sanctum/messaging/config';
import { decodeJwt, SignJWT } from 'jose';
import { CliError, NEW_TOKEN, UsageError } from './cli-error.ts';
import { given, type Shell } from './shell.ts';

const JWT_VARIABLES = ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL', 'JWT_PUBLIC_KEY', 'JWT_SECRET'] as const;
/** What `--as` gives: long enough to look around, and `tail` mints another when it ends. */
const AS_TTL_MS = 3_600_000;

export interface TokenRequest {
  readonly sub: string;
  readonly scopes?: readonly string[] | undefined;
  readonly sid?: string | undefined;
  readonly ttlMs: number;
}

export interface MintedToken {
  readonly token: string;
  readonly issuer: string;
  readonly audience: string;
  readonly expiresAtMs: number;
}

/**
 * A token that the service with this environment accepts. The service's own settings say how tokens are checked
 * (and make the development secret where there is none), so the two cannot come apart.
 */
export async function mintToken(
  shell: Pick<Shell, 'env' | 'clock'>,
  request: TokenRequest,
): Promise<MintedToken> {
  const { issuer, audience, secret } = signingSettings(shell.env);
  const issuedAt = Math.floor(shell.clock.now() / 1000);
  const expiresAt = issuedAt + Math.floor(request.ttlMs / 1000);
  const { scopes = [], sid } = request;
  const claims = { ...(scopes.length > 0 && { scope: scopes.join(' ') }), ...(sid !== undefined && { sid }) };
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(request.sub)
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(new TextEncoder().encode(secret));
  return { token, issuer, audience, expiresAtMs: expiresAt * 1000 };
}

/** Where a command's token comes from. */
export interface TokenSource {
  /** Whether `next` can give a fresh token when the last one has expired. */
  readonly isRenewable: boolean;
  next(): Promise<string>;
  /** Whom the tokens speak for. @throws UsageError for a token that does not say */
  userId(): string;
}

/** The token of `--as` or of `--token`. */
export function tokenSource(
  shell: Pick<Shell, 'env' | 'clock'>,
  options: { readonly as?: string | undefined; readonly token?: string | undefined },
): TokenSource {
  const { as, token } = options;
  if ((as === undefined) === (token === undefined)) {
    throw new UsageError('say who you are, in one way: --as <user>, or --token <token>');
  }
  if (token !== undefined) {
    return { isRenewable: false, next: async () => token, userId: () => subjectOf(token) };
  }
  const request = { sub: as as string, ttlMs: AS_TTL_MS };
  return {
    isRenewable: true,
    next: async () => (await mintToken(shell, request)).token,
    userId: () => request.sub,
  };
}

/** The `sub` that a token claims; whether it is right is the service's to say. */
function subjectOf(token: string): string {
  try {
    const { sub } = decodeJwt(token);
    if (sub !== undefined) return sub;
  } catch {
    // Told below.
  }
  throw new UsageError('--token is not a JWT with a `sub`', NEW_TOKEN);
}

function signingSettings(env: Shell['env']): { issuer: string; audience: string; secret: string } {
  const ours = Object.fromEntries(JWT_VARIABLES.map((name) => [name, given(env, name)]));
  // The two addresses are required there, and of no interest here.
  const { auth } = loadConfig({ ...ours, POSTGRES_URL: 'postgres://none', REDIS_URL: 'redis://none' });
  if (auth.key.kind === 'secret')
    return { issuer: auth.issuer, audience: auth.audience, secret: auth.key.secret };
  const variable = auth.key.kind === 'jwks' ? 'JWT_JWKS_URL' : 'JWT_PUBLIC_KEY';
  throw new CliError(
    `${variable} is set: this service checks tokens with a public key, and only whoever has the private key can issue them`,
    'Get a token where your users log in, and pass it with --token.',
  );
}
