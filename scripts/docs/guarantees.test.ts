import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { JUDGES } from '../../services/messaging/src/tests/history/judges/index.ts';
import { BUGS } from '../../services/messaging/src/tests/bugs/list.ts';
import { bugReport } from './evidence.ts';
import { PROMISES } from './promises.ts';
import { root, textOf } from './source-facts.ts';

const named = new Set(Object.values(PROMISES).flatMap(({ checks }): string[] => [...checks]));

it('each check of the history stands for a promise', () => {
  expect(JUDGES.map(({ check }) => check).filter((check) => !named.has(check))).toEqual([]);
});

it('each promise has a chapter, and what it names as its tests exists', () => {
  const text = textOf('docs/guarantees.md');
  for (const [id, { promise, tests }] of Object.entries(PROMISES)) {
    expect(text).toContain(`### ${id}: ${promise}\n`);
    const missing = tests.filter((file) => !existsSync(`${root}/services/messaging/src/${file}`));
    expect(missing, id).toEqual([]);
  }
});

it('the recorded bugs are those of the list, and each was seen', () => {
  const { bugs = [] } = bugReport() ?? {};
  expect(bugs.map(({ name, what, caughtBy }) => [name, what, caughtBy])).toEqual(
    BUGS.map(({ name, what, caughtBy }) => [name, what, caughtBy]),
  );
  expect(bugs.filter(({ caught, controlClean }) => !caught || !controlClean)).toEqual([]);
});
