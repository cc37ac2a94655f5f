import { expect, it } from 'vitest';
import { isAnswered } from './outcome.ts';

const ANSWERS = { 'closed 4408': 1900, 'closed 1006': 0 };
const outcome = (counts: Record<string, number>) => new Map(Object.entries(counts));

it('an attack that was merely cut off, or not answered often enough, is not answered', () => {
  expect(isAnswered(outcome({ 'closed 4408': 1950, 'closed 1006': 50 }), ANSWERS)).toBe(true);
  expect(isAnswered(outcome({ 'closed 4408': 2000 }), ANSWERS)).toBe(true);
  expect(isAnswered(outcome({ 'closed 1006': 2000 }), ANSWERS)).toBe(false);
  expect(isAnswered(outcome({ 'closed 4408': 1899, 'closed 1006': 101 }), ANSWERS)).toBe(false);
});

it('an answer that nobody allowed is none', () => {
  expect(isAnswered(outcome({ 'closed 4408': 1999, 'still open': 1 }), ANSWERS)).toBe(false);
  expect(isAnswered(outcome({ 'closed 4408': 1999, toString: 1 }), ANSWERS)).toBe(false);
  expect(isAnswered(outcome({}), ANSWERS)).toBe(false);
});
