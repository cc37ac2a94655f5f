import { expect, it } from 'vitest';
import { assertBounds, bounds } from './bounds.ts';

it('holds the relations between the bounds', () => {
  expect(() => assertBounds()).not.toThrow();
});

it('notices a relation that is broken', () => {
  const intake = {
    ...bounds.intake,
    groupRowsMax: bounds.intake.queueRowsMax,
  } as unknown as typeof bounds.intake;
  expect(() => assertBounds({ ...bounds, intake })).toThrow('a full queue feeds every group');
});
