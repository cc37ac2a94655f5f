import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { JUDGES } from '../../services/messaging/src/tests/history/judges/index.ts';
import { BUGS } from '../../services/messaging/src/tests/bugs/list.ts';
import { SCENARIOS } from '../../services/messaging/src/tests/chaos/scenarios/index.ts';
import { HOSTILE_SCENARIOS } from '../../services/messaging/src/tests/hostile/scenarios.ts';
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

it('each fault that a promise names is one that is played, and each bug one of the list', () => {
  const names = [...SCENARIOS, ...HOSTILE_SCENARIOS].map(({ name }) => name);
  for (const [id, { bugs = [], faults }] of Object.entries(PROMISES)) {
    expect(
      faults.filter((fault) => !names.some((name) => fault.test(name))),
      id,
    ).toEqual([]);
    expect(
      bugs.filter((bug) => !BUGS.some(({ name }) => name === bug)),
      id,
    ).toEqual([]);
  }
});

it('each attack is aimed at a promise', () => {
  const faults = Object.values(PROMISES).flatMap((proof) => proof.faults);
  expect(HOSTILE_SCENARIOS.filter(({ name }) => !faults.some((fault) => fault.test(name)))).toEqual([]);
});
