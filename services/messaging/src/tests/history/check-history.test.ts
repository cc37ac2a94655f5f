import { describe, expect, test } from 'vitest';
import { DELIVERY_TALES } from './delivery-tales.ts';
import type { CheckName } from './judge.ts';
import { JUDGES } from './judges/index.ts';
import { LOG_TALES } from './log-tales.ts';
import { STANDING_TALES } from './standing-tales.ts';
import { Story, type Tale } from './story.ts';

/** Every check has a tale: the compiler sees to it. */
const TALES: Record<CheckName, Record<string, Tale>> = { ...DELIVERY_TALES, ...STANDING_TALES, ...LOG_TALES };

function tell(tale: Tale, isBroken: boolean) {
  const story = new Story();
  tale(story, isBroken);
  return story.check();
}

test('every check has a judge, and one only', () => {
  expect(JUDGES.map(({ check }) => check).sort()).toEqual(Object.keys(TALES).sort());
});

describe.each(Object.entries(TALES))('%s', (check, tales) => {
  test.each(Object.entries(tales))('%s', (_name, tale) => {
    expect(tell(tale, false).violations).toEqual([]);
    const broken = tell(tale, true).violations;
    expect(broken.length).toBeGreaterThan(0);
    expect(broken.filter((violation) => violation.check !== check)).toEqual([]);
  });
});
