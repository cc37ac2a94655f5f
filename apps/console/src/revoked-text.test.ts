import { expect, test } from 'vitest';
import { closingText } from './revoked-text.ts';

test('a revocation says which pods did not tell how many connections it closes', () => {
  expect(closingText({ connections: 2, pods_missing: [] })).toBe('2 connections were open, now closing.');
  expect(closingText({ connections: 1, pods_missing: [] })).toBe('1 connection was open, now closing.');
  expect(closingText({ connections: 0, pods_missing: ['a', 'b'] })).toBe(
    'At least 0 connections were open, now closing (no answer from a, b).',
  );
});
