import { expect, test } from 'vitest';
import { uncountedText } from './estimate-text.tsx';

test('an estimate says why there may be more clients than were counted', () => {
  const all = { messages: 1, conversations: 1, clients: 3, from: null, to: null };
  expect(uncountedText({ ...all, pods_missing: [], conversations_uncounted: 0 })).toBe('');
  expect(uncountedText({ ...all, pods_missing: ['a', 'b'], conversations_uncounted: 200 })).toBe(
    ' (2 pods did not answer: a, b; 200 conversations not looked at)',
  );
});
