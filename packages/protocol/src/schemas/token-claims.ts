import { z } from 'zod';
import { describeIssue } from './problems.ts';
import { opaqueId, userId } from './scalars.ts';

/** The last second of the year 9999: later ones cannot be written as RFC 3339. */
const EXP_MAX_SECONDS = 253_402_300_799;
const SCOPES_MAX = 256;

const text = z.string().min(1);

/**
 * The claims of a token that the service reads, after the verifier has checked the signature, the times,
 * and `iss` and `aud` against the settings.
 */
export const tokenClaims = z
  .object({
    sub: userId,
    scope: z.union([z.string(), z.array(z.string()).max(SCOPES_MAX)]).optional(),
    exp: z.number().positive().max(EXP_MAX_SECONDS).meta({ description: 'Seconds since 1970' }),
    iat: z.number().optional().meta({ description: 'Seconds since 1970; without it, as old as can be' }),
    iss: text.optional(),
    aud: z.union([text, z.array(text).min(1)]).optional(),
    sid: opaqueId.optional().meta({ description: 'The login; can be revoked by it' }),
  })
  .meta({ id: 'TokenClaims', description: 'What the service reads of a token' });

/** Who speaks, and what they may do. */
export interface TokenIdentity {
  readonly userId: string;
  readonly scopes: ReadonlySet<string>;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** Milliseconds since 1970; 0 where the token does not say. */
  readonly issuedAtMs: number;
  readonly sid?: string;
}

export type TokenClaimsResult = { ok: true; identity: TokenIdentity } | { ok: false; detail: string };

/** Scope of a service that may create conversations and change members anywhere. */
export const SCOPE_MANAGE = 'messaging:manage';
/** Scope of an operator. */
export const SCOPE_OPERATE = 'messaging:operate';

/** Reads the verified claims of a token. `scope` is a list, or a text parted by spaces. */
export function parseTokenClaims(claims: unknown): TokenClaimsResult {
  const result = tokenClaims.safeParse(claims);
  if (!result.success) return { ok: false, detail: describeIssue(result.error.issues[0]) };
  const { sub, scope = [], exp, iat = 0, sid } = result.data;
  const scopes = new Set(typeof scope === 'string' ? scope.split(' ').filter(Boolean) : scope);
  return {
    ok: true,
    identity: {
      userId: sub,
      scopes,
      expiresAtMs: Math.floor(exp * 1000),
      issuedAtMs: Math.floor(iat * 1000),
      ...(sid !== undefined && { sid }),
    },
  };
}
