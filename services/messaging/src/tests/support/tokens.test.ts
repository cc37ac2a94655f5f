import { parseTokenClaims } from '@sanctum/protocol/schemas';
import { decodeJwt, errors, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { mintToken, TEST_JWT } from './tokens.ts';

const key = new TextEncoder().encode(TEST_JWT.secret);
const { issuer, audience } = TEST_JWT;

test('a token verifies, and says who speaks', async () => {
  const token = await mintToken({ sub: 'alice', scope: 'messaging:manage', sid: 's1' });
  const { payload } = await jwtVerify(token, key, { issuer, audience, algorithms: ['HS256'] });
  expect(parseTokenClaims(payload)).toMatchObject({
    ok: true,
    identity: { userId: 'alice', scopes: new Set(['messaging:manage']), sid: 's1' },
  });
});

test('each claim can be wrong', async () => {
  const verify = (token: string) => jwtVerify(token, key, { issuer, audience });
  await expect(verify(await mintToken({ sub: 'a', exp: 1 }))).rejects.toThrow(errors.JWTExpired);
  await expect(verify(await mintToken({ sub: 'a', iss: 'x' }))).rejects.toThrow(
    errors.JWTClaimValidationFailed,
  );
  await expect(verify(await mintToken({ sub: 'a', aud: ['x'] }))).rejects.toThrow(
    errors.JWTClaimValidationFailed,
  );
  await expect(verify(await mintToken({ sub: 'a' }, 'another-secret-of-32-bytes-or-more!'))).rejects.toThrow(
    errors.JWSSignatureVerificationFailed,
  );
  expect(decodeJwt(await mintToken({ sub: 'a', exp: null }))).not.toHaveProperty('exp');
});
