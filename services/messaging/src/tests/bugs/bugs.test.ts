import { expect, test } from 'vitest';
import { huntInSimulation } from './hunt-in-simulation.ts';
import { BUGS } from './list.ts';

const simulated = BUGS.flatMap((bug) => (bug.where === 'simulation' ? [bug] : []));

test.each(simulated)('$name is seen by $caughtBy', { timeout: 120_000 }, async (bug) => {
  const { caught, controlClean, says } = await huntInSimulation(bug);
  expect({ caught, controlClean }, says).toEqual({ caught: true, controlClean: true });
});

test('each bug has a name of its own', () => {
  expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length);
});
