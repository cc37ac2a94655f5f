import { expect, test } from 'vitest';
import { connectionsQuery, putControl, requeueBody, revocationBody } from './admin.ts';

const ID = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';

test('a requeue says what it is about', () => {
  expect(requeueBody.safeParse({ kind: 'row' }).success).toBe(false);
  for (const narrowed of [{ all: true }, { ids: ['1'] }, { cause: 'x' }, { conversation_id: ID }])
    expect(requeueBody.safeParse({ kind: 'row', ...narrowed }).success).toBe(true);
});

test('a revocation names a user or a login, not both', () => {
  expect(revocationBody.safeParse({}).success).toBe(false);
  expect(revocationBody.safeParse({ user_id: 'a', sid: 'b' }).success).toBe(false);
  expect(revocationBody.safeParse({ sid: 'b' }).success).toBe(true);
});

test('a pause has a reason, and no control character in it', () => {
  const pause = { stage: 'dispatcher', paused: true };
  expect(putControl.safeParse(pause).success).toBe(false);
  expect(putControl.safeParse({ ...pause, reason: 'a\nb' }).success).toBe(false);
  expect(putControl.safeParse({ ...pause, reason: ' drill ' }).data?.reason).toBe('drill');
});

test('a query has texts for numbers and flags', () => {
  expect(connectionsQuery.parse({ slow: 'true', limit: '5' })).toEqual({ slow: true, limit: 5 });
  expect(connectionsQuery.safeParse({ slow: 'yes' }).success).toBe(false);
});
