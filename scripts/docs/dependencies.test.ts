import { expect, it } from 'vitest';
import { unverifiedPackages } from './runtime-dependencies.ts';

it('the lockfile holds the hash of every package', () => {
  expect(unverifiedPackages()).toEqual([]);
});
