import { expect, it } from 'vitest';
import { goesOneByOne, strike } from './suspicion.ts';

it('suspects a row at which three connections broke', () => {
  const once = strike(undefined, '7');
  const twice = strike(once, '7');
  expect([undefined, once, twice, strike(twice, '7')].map(goesOneByOne)).toEqual([false, false, false, true]);
});

it('begins anew with another row', () => {
  const twice = strike(strike(undefined, '7'), '7');
  expect(strike(twice, '8')).toEqual({ row: '8', strikes: 1 });
});
