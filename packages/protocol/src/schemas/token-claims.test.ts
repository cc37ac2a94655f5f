import { expect, test } from 'vitest';
import { parseTokenClaims } from './token-claims.ts';

const CLAIMS = { sub: 'alice', exp: 2_000_000_000, iss: 'sanctum', aud: 'sanctum-messaging' };

test('who speaks, until when, and what they may do', () => {
  expect(
    parseTokenClaims({ ...CLAIMS, scope: ' messaging:manage  messaging:operate ', sid: 's1', other: {} }),
  ).toEqual({
    ok: true,
    identity: {
      userId: 'alice',
      scopes: new Set(['messaging:manage', 'messaging:operate']),
      expiresAtMs: 2_000_000_000_000,
      issuedAtMs: 0,
      sid: 's1',
    },
  });
});

test('a list of scopes is one too, and none is none', () => {
  expect(parseTokenClaims({ ...CLAIMS, scope: ['a', 'b c'] })).toMatchObject({
    identity: { scopes: new Set(['a', 'b c']) },
  });
  expect(parseTokenClaims({ ...CLAIMS, aud: ['x', 'y'] })).toMatchObject({ identity: { scopes: new Set() } });
});

test.each([
  null,
  'x',
  {},
  { ...CLAIMS, sub: undefined },
  { ...CLAIMS, sub: '' },
  { ...CLAIMS, sub: 'a\0b' },
  { ...CLAIMS, sub: 5 },
  { ...CLAIMS, sub: 'x'.repeat(256) },
  { ...CLAIMS, exp: undefined },
  { ...CLAIMS, exp: '2000000000' },
  { ...CLAIMS, exp: 0 },
  { ...CLAIMS, exp: 1e300 },
  { ...CLAIMS, scope: 5 },
  { ...CLAIMS, scope: [5] },
  { ...CLAIMS, aud: [] },
  { ...CLAIMS, sid: '' },
])('refuses %j', (claims) => {
  const result = parseTokenClaims(claims);
  expect(result.ok).toBe(false);
  expect(JSON.stringify(result)).not.toContain('2000000000');
});
