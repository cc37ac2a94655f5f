import { expect, test } from 'vitest';
import { clientsText } from './texts.ts';

test('clients that could not all be counted are "at least"', () => {
  const all = { clients: 3, pods_missing: [], conversations_uncounted: 0 };
  expect(clientsText(all)).toBe('3 connected clients');
  expect(clientsText({ ...all, pods_missing: ['a', 'b'] })).toBe(
    'at least 3 connected clients (2 pods did not answer: a, b)',
  );
  expect(clientsText({ ...all, conversations_uncounted: 7 })).toBe(
    'at least 3 connected clients (7 conversations were not looked at)',
  );
});
