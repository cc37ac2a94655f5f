import { expect, test } from 'vitest';
import { Revocations } from './revocations.ts';

test('what a restore has lost stays revoked, also where an earlier revocation of the same user is left', () => {
  const revocations = new Revocations();
  revocations.learn([
    { kind: 'user', subject: 'alice', revokedAt: 1000, version: 1 },
    { kind: 'user', subject: 'alice', revokedAt: 3000, version: 2 },
  ]);
  revocations.startOver();
  expect(revocations.learn([{ kind: 'user', subject: 'alice', revokedAt: 1000, version: 1 }])).toBe(true);
  expect(revocations.isRevoked({ userId: 'alice', issuedAt: 2000 })).toBe(true);
  expect(revocations.isRevoked({ userId: 'alice', issuedAt: 3000 })).toBe(false);
});
