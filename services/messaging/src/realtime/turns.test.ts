import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

function scene(max: number) {
  const called: string[] = [];
  return { turns: new Turns<string>(max, (next) => called.push(next)), called };
}

test('so many may be at it; for each that leaves the one that has waited longest is called', () => {
  const { turns, called } = scene(2);
  expect(['a', 'b', 'c', 'd'].map((one) => turns.take(one))).toEqual([true, true, false, false]);
  turns.leave('a');
  expect(called).toEqual(['c']);
  // The place is kept for whoever was called.
  expect([turns.take('e'), turns.take('c')]).toEqual([false, true]);
  expect([...turns.inside]).toEqual(['b', 'c']);
});

test('whoever wants to go on does, unless somebody waits: then they go to the end', () => {
  const { turns, called } = scene(1);
  expect([turns.take('a'), turns.take('a')]).toEqual([true, true]);
  expect([turns.take('b'), turns.take('a')]).toEqual([false, false]);
  expect(called).toEqual(['b']);
  expect([turns.take('a'), turns.take('b')]).toEqual([false, true]);
  turns.leave('b');
  expect(called).toEqual(['b', 'a']);
});

test('whoever was called and wants it no more passes it on; whoever waits and leaves is not called', () => {
  const { turns, called } = scene(1);
  for (const one of ['a', 'b', 'c', 'd']) turns.take(one);
  turns.leave('c');
  turns.leave('a');
  turns.leave('b');
  expect(called).toEqual(['b', 'd']);
  expect(turns.take('d')).toBe(true);
});
