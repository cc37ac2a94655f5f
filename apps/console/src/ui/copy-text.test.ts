import { expect, test } from 'vitest';
import { copyText } from './copy-text.ts';

test('only what was taken counts as copied', async () => {
  const taken: string[] = [];
  const takes = { writeText: async (text: string) => void taken.push(text) };
  const refuses = { writeText: () => Promise.reject(new Error('not allowed')) };
  expect(await copyText('an id', takes)).toBe(true);
  expect(taken).toEqual(['an id']);
  expect(await copyText('an id', refuses)).toBe(false);
  expect(await copyText('an id', undefined)).toBe(false);
});
