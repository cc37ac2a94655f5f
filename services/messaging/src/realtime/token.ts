import { CLOSE } from '@sanctum/protocol';

/** A token that has been verified. */
export interface VerifiedToken {
  readonly ok: true;
  readonly userId: string;
  readonly scopes: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Milliseconds since the epoch; 0 where the token does not say. */
  readonly issuedAt: number;
  readonly sid?: string | undefined;
}

export interface RefusedToken {
  readonly ok: false;
  /** `unavailable`: a key could not be had, which is no verdict. */
  readonly code: 'token_missing' | 'token_invalid' | 'token_expired' | 'revoked' | 'unavailable';
}

/** How a connection ends whose token is refused. */
export const CLOSE_OF_REFUSAL: Readonly<Record<RefusedToken['code'], number>> = {
  token_missing: CLOSE.token_invalid,
  token_invalid: CLOSE.token_invalid,
  token_expired: CLOSE.token_expired,
  revoked: CLOSE.revoked,
  unavailable: CLOSE.try_later,
};

export interface TokenVerifier {
  /** Never rejects. */
  verify(token: string | undefined): Promise<VerifiedToken | RefusedToken> | VerifiedToken | RefusedToken;
}
