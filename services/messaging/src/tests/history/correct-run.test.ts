import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACTION_KINDS, CorrectRun } from './correct-run.ts';
import type { CheckName } from './judge.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';

/** Time passes with events here, not with work. */
const PATIENT = { settleWithinMs: 1_000_000 };

const actions = fc.array(
  fc.record({ kind: fc.constantFrom(...ACTION_KINDS), a: fc.nat(1000), b: fc.nat(1000) }),
  { minLength: 40, maxLength: 120, size: 'max' },
);

test('whatever a correct server does is clean', () => {
  fc.assert(
    fc.property(actions, (steps) => {
      expect(new CorrectRun(steps).story.check(PATIENT).violations).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

describe('one thing changed in what it did', () => {
  test.each(Object.entries(MUTATIONS))('%s', (_name, { expected, mutate }: Mutation) => {
    let applied = 0;
    fc.assert(
      fc.property(actions, fc.nat(1_000_000), (steps, n) => {
        const { story } = new CorrectRun(steps);
        if (!mutate(story, n)) return;
        applied += 1;
        const found = new Set<CheckName>(story.check(PATIENT).violations.map(({ check }) => check));
        expect(
          expected.some((check) => found.has(check)),
          `found: ${[...found].join(', ')}`,
        ).toBe(true);
      }),
      { numRuns: 150 },
    );
    expect(applied).toBeGreaterThan(20);
  });
});
