import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bounds } from '../../bounds.ts';
import type { VerifyingKey } from '../../config.ts';
import { silentLog } from '../../log.ts';
import { ManualClock } from '../../tests/support/manual-clock.ts';
import { bearerToken, createTokenVerifier } from './token-verifier.ts';

const SECRET = 'a secret of more than thirty-two bytes';
const ISSUER = 'https://id.example/';
const AUDIENCE = 'sanctum-messaging';
const clock = new ManualClock();
const nowS = () => Math.floor(clock.now() / 1000);

const hmac: VerifyingKey = { kind: 'secret', secret: SECRET };
const verifierFor = (key: VerifyingKey) =>
  createTokenVerifier({ issuer: ISSUER, audience: AUDIENCE, key }, { clock, log: silentLog });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

interface Signing {
  alg?: string;
  kid?: string;
  key?: KeyObject | Uint8Array;
}

function token(claims: JWTPayload = {}, { alg = 'HS256', kid, key = Buffer.from(SECRET) }: Signing = {}) {
  const all = { sub: 'alice', iss: ISSUER, aud: AUDIENCE, exp: nowS() + 3600, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg, ...(kid && { kid }) }).sign(key);
}

/** A token put together by hand, as an attacker does. */
function forged(header: object, claims: object, sign: (input: string) => string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${sign(input)}`;
}

describe('bearerToken', () => {
  it.each([
    [undefined, undefined],
    ['Bearer a.b.c', 'a.b.c'],
    ['bearer   a.b.c', 'a.b.c'],
    ['Basic YTpi', ''],
    ['Bearer', ''],
    ['Bearer a b', ''],
    ['Bearer a,Bearer b', ''],
  ])('of %s is %s', (header, expected) => {
    expect(bearerToken(header)).toBe(expected);
  });
});

describe('a token', () => {
  it('tells who speaks, and what they may do', async () => {
    const exp = nowS() + 60;
    const result = await verifierFor(hmac).verify(
      await token({ scope: 'messaging:manage other', sid: 's1', exp }),
    );
    expect(result).toEqual({
      ok: true,
      userId: 'alice',
      scopes: new Set(['messaging:manage', 'other']),
      expiresAt: exp * 1000,
      issuedAt: expect.any(Number),
      sid: 's1',
    });
  });

  it.each([
    ['now', 0, false],
    ['a little ahead of this clock', 4, false],
    ['in the future', 60, true],
    ['in milliseconds', nowS() * 999, true],
  ])('that says it was issued %s cannot outrun a revocation', async (_, aheadS, isOldest) => {
    const iat = nowS() + aheadS;
    const result = await verifierFor(hmac).verify(await token({ iat, exp: nowS() + 60 }));
    expect(result).toMatchObject({ ok: true, issuedAt: isOldest ? 0 : iat * 1000 });
  });

  it('is missing', async () => {
    expect(await verifierFor(hmac).verify(undefined)).toEqual({ ok: false, code: 'token_missing' });
  });

  it('has expired, beyond the tolerance', async () => {
    const verifier = verifierFor(hmac);
    expect(await verifier.verify(await token({ exp: nowS() - 4 }))).toMatchObject({ ok: true });
    expect(await verifier.verify(await token({ exp: nowS() - 6 }))).toEqual({
      ok: false,
      code: 'token_expired',
    });
  });

  it('expires while it is remembered', async () => {
    const verifier = verifierFor(hmac);
    const short = await token({ exp: nowS() + 10 });
    expect(await verifier.verify(short)).toMatchObject({ ok: true });
    await clock.advance(14_000);
    expect(await verifier.verify(short)).toMatchObject({ ok: true });
    await clock.advance(1_000);
    expect(await verifier.verify(short)).toEqual({ ok: false, code: 'token_expired' });
    expect(await verifier.verify(short)).toEqual({ ok: false, code: 'token_expired' });
  });

  it.each([
    ['another issuer', { iss: 'https://evil.example/' }],
    ['no issuer', { iss: undefined }],
    ['another audience', { aud: 'other' }],
    ['no audience', { aud: undefined }],
    ['no expiry', { exp: undefined }],
    ['no subject', { sub: undefined }],
    ['an empty subject', { sub: '' }],
    ['a subject with a NUL', { sub: 'a\u0000b' }],
    ['a subject of 256 bytes', { sub: 'a'.repeat(256) }],
    ['a time before which it is not valid', { nbf: 9_999_999_999 }],
    ['an expiry that no calendar has', { exp: 1e300 }],
  ])('with %s is invalid', async (_, claims) => {
    expect(await verifierFor(hmac).verify(await token(claims as JWTPayload))).toEqual({
      ok: false,
      code: 'token_invalid',
    });
  });

  it.each([[''], ['garbage'], ['a.b.c'], ['..'], [`${'a'.repeat(10_000)}.b.c`]])(
    'of garbage is invalid',
    async (text) => {
      expect(await verifierFor(hmac).verify(text)).toEqual({ ok: false, code: 'token_invalid' });
    },
  );

  it('signed by another secret is invalid', async () => {
    const other = await token({}, { key: Buffer.from('another secret of more than 32 bytes') });
    expect(await verifierFor(hmac).verify(other)).toEqual({ ok: false, code: 'token_invalid' });
  });

  it('changed after it was signed is invalid', async () => {
    const [header, , signature] = (await token()).split('.');
    const claims = Buffer.from(JSON.stringify({ sub: 'root', iss: ISSUER, aud: AUDIENCE, exp: nowS() + 60 }));
    const changed = `${header}.${claims.toString('base64url')}.${signature}`;
    expect(await verifierFor(hmac).verify(changed)).toEqual({ ok: false, code: 'token_invalid' });
  });

  it.each([['none'], ['NONE'], ['None'], ['']])('with alg %s is invalid', async (alg) => {
    const unsigned = forged({ alg }, { sub: 'a', iss: ISSUER, aud: AUDIENCE, exp: nowS() + 60 }, () => '');
    expect(await verifierFor(hmac).verify(unsigned)).toEqual({ ok: false, code: 'token_invalid' });
  });

  it('signed with the public key as if it were a secret is invalid', async () => {
    const publicPem = pem(rsa.publicKey);
    const confused = forged(
      { alg: 'HS256' },
      { sub: 'a', iss: ISSUER, aud: AUDIENCE, exp: nowS() + 60 },
      (input) => createHmac('sha256', publicPem).update(input).digest('base64url'),
    );
    const verifier = verifierFor({ kind: 'public_key', pem: publicPem });
    expect(await verifier.verify(confused)).toEqual({ ok: false, code: 'token_invalid' });
  });

  it('with a critical extension that is not known is invalid', async () => {
    const critical = forged(
      { alg: 'HS256', crit: ['x'], x: 1 },
      { sub: 'a', iss: ISSUER, aud: AUDIENCE, exp: nowS() + 60 },
      (input) => createHmac('sha256', SECRET).update(input).digest('base64url'),
    );
    expect(await verifierFor(hmac).verify(critical)).toEqual({ ok: false, code: 'token_invalid' });
  });
});

describe('a public key', () => {
  it.each([
    ['RS256', rsa],
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['EdDSA', generateKeyPairSync('ed25519')],
  ])('verifies %s', async (alg, pair) => {
    const verifier = verifierFor({ kind: 'public_key', pem: pem(pair.publicKey) });
    expect(await verifier.verify(await token({}, { alg, key: pair.privateKey }))).toMatchObject({ ok: true });
    expect(await verifier.verify(await token())).toEqual({ ok: false, code: 'token_invalid' });
  });
});

describe('what has been verified', () => {
  it('is told at once', async () => {
    const verifier = verifierFor(hmac);
    const text = await token();
    const first = await verifier.verify(text);
    expect(verifier.verify(text)).toBe(first);
  });

  it('is forgotten when others were used more lately', async () => {
    const verifier = verifierFor(hmac);
    const kept = await token({ sub: 'kept' });
    const forgotten = await token({ sub: 'forgotten' });
    await verifier.verify(kept);
    await verifier.verify(forgotten);
    for (let i = 0; i < bounds.auth.verifiedTokensMax - 1; i += 500) {
      const claims = { iss: ISSUER, aud: AUDIENCE, exp: nowS() + 60 };
      const others = Array.from({ length: Math.min(500, bounds.auth.verifiedTokensMax - 1 - i) }, (_, j) =>
        forged({ alg: 'HS256' }, { ...claims, sub: `u${i + j}` }, (input) =>
          createHmac('sha256', SECRET).update(input).digest('base64url'),
        ),
      );
      await Promise.all(others.map(async (other) => verifier.verify(other)));
      await verifier.verify(kept);
    }
    expect(verifier.verify(kept)).not.toBeInstanceOf(Promise);
    expect(verifier.verify(forgotten)).toBeInstanceOf(Promise);
  }, 30_000);
});

describe('published keys', () => {
  const next = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let server: Server;
  let keys: object[];
  let status: number;
  let asked: number;

  beforeEach(async () => {
    keys = [{ ...(await exportJWK(rsa.publicKey)), kid: 'one', alg: 'RS256' }];
    status = 200;
    asked = 0;
    server = createServer((_request, response) => {
      asked++;
      response.statusCode = status;
      response.end(JSON.stringify({ keys }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const published = () =>
    verifierFor({ kind: 'jwks', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks` });
  const signed = (sub: string, kid = 'one', key = rsa.privateKey) =>
    token({ sub }, { alg: 'RS256', kid, key });
  const addNext = async () => keys.push({ ...(await exportJWK(next.publicKey)), kid: 'two', alg: 'RS256' });

  it('are fetched once for all', async () => {
    const verifier = published();
    const tokens = await Promise.all(['a', 'b', 'c'].map((sub) => signed(sub)));
    const results = await Promise.all(tokens.map(async (text) => verifier.verify(text)));
    expect(results).toMatchObject([{ userId: 'a' }, { userId: 'b' }, { userId: 'c' }]);
    expect(asked).toBe(1);
  });

  it('that cannot be had are no verdict', async () => {
    status = 500;
    const verifier = published();
    const text = await signed('a');
    expect(await verifier.verify(text)).toEqual({ ok: false, code: 'unavailable' });
    status = 200;
    await clock.advance(bounds.auth.keysFirstCooldownMs);
    expect(await verifier.verify(text)).toMatchObject({ ok: true });
  });

  it('stay in use while the identity provider is away, however long', async () => {
    const verifier = published();
    await verifier.verify(await signed('a'));
    status = 500;
    for (let hours = 0; hours < 3; hours++) {
      await clock.advance(3_600_000);
      expect(await verifier.verify(await signed(`b${hours}`))).toMatchObject({ ok: true });
    }
  });

  it('are asked for again when a token names another one', async () => {
    const verifier = published();
    await verifier.verify(await signed('a'));
    await addNext();
    const text = await signed('b', 'two', next.privateKey);
    expect(await verifier.verify(text)).toEqual({ ok: false, code: 'unavailable' });
    await clock.advance(bounds.auth.keysCooldownMs);
    expect(await verifier.verify(text)).toMatchObject({ ok: true, userId: 'b' });
    expect(asked).toBe(2);
  });

  it('are not asked for again and again by tokens with made-up kids', async () => {
    const verifier = published();
    await verifier.verify(await signed('a'));
    await clock.advance(bounds.auth.keysCooldownMs);
    for (let i = 0; i < 20; i++) {
      expect(await verifier.verify(await signed('a', `made-up-${i}`))).toEqual({
        ok: false,
        code: 'unavailable',
      });
    }
    expect(asked).toBe(2);
  });

  it('that do not fit the signature are a verdict', async () => {
    expect(await published().verify(await signed('a', 'one', next.privateKey))).toEqual({
      ok: false,
      code: 'token_invalid',
    });
  });

  it('never verify a secret’s algorithm', async () => {
    expect(await published().verify(await token({}, { kid: 'one' }))).toEqual({
      ok: false,
      code: 'token_invalid',
    });
    expect(asked).toBe(0);
  });

  it('that are withdrawn go, once the set is old', async () => {
    const verifier = published();
    await verifier.verify(await signed('a'));
    keys = [];
    await addNext();
    await clock.advance(bounds.auth.keysMaxAgeMs + 1);
    // The old set answers while the new one is fetched.
    expect(await verifier.verify(await signed('b'))).toMatchObject({ ok: true });
    await expect.poll(() => asked).toBe(2);
    await expect.poll(async () => (await verifier.verify(await signed('c'))).ok).toBe(false);
  });

  it('that are no key set are not taken', async () => {
    const verifier = published();
    keys = 'x'.repeat(bounds.auth.keysMaxBytes) as unknown as object[];
    expect(await verifier.verify(await signed('a'))).toEqual({ ok: false, code: 'unavailable' });
  });
});
