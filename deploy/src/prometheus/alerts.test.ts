import { runbookCommands } from '@sanctum/messaging/tests/integration/runbook/runbook-commands';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { podSeries, SCRAPE_SECONDS, withFloatBounds } from './pod-series.ts';
import { promtool, testRules, type RuleTest } from './promtool.ts';
import { allRules, isAlert, ruleFiles, type AlertRule } from './rule-files.ts';
import { stories } from './stories.ts';

/*
 * Each alert of deploy/prometheus fires when it should and only then: pods live through a story, and at given moments
 * exactly the named alerts of all rules fire. Where the owner's form of an alert is told apart from ours, `asWritten`
 * says which of his four fire as he wrote them, from the runbook's own text.
 */

const LONG_SCRAPE_SECONDS = 120;

const dir = mkdtempSync(path.join(tmpdir(), 'sanctum-test-'));
afterAll(() => rmSync(dir, { recursive: true }));

function testsOf(form: 'firing' | 'asWritten', isLong?: true): RuleTest[] {
  const intervalSeconds = isLong ? LONG_SCRAPE_SECONDS : SCRAPE_SECONDS;
  return Object.entries(stories).flatMap(([name, story]) => {
    const moments = story[form];
    if (moments === undefined || story.isLong !== isLong) return [];
    const said = Object.assign(
      {},
      ...Object.entries(story.pods).map(([pod, spans]) => podSeries(pod, spans, intervalSeconds)),
    ) as Record<string, string>;
    const series = story.hasFloatBounds ? withFloatBounds(said) : said;
    const expectations = Object.entries(moments).map(([at, firing]) => ({ at, firing }));
    return [{ name, series, intervalSeconds, expectations }];
  });
}

/** The runbook's alerts, those kept as the owner wrote them or those that work. */
function runbookAlerts(asWritten: boolean): AlertRule[] {
  return runbookCommands()
    .filter((command) => command.kind === 'alert' && command.asWritten === asWritten)
    .map(({ text }) => (parse(text) as [AlertRule])[0]);
}

test('promtool takes every file of rules', async () => {
  await promtool(['check', 'rules', '--lint=all', '--lint-fatal', ...ruleFiles()]);
});

/** promtool works for a few seconds; on a loaded machine longer. */
const STORIES_MS = 120_000;

test('exactly the right alerts fire, in every story of minutes', { timeout: STORIES_MS }, async () => {
  // The service level looks back for hours, which takes promtool long and does not matter here.
  await testRules(
    ruleFiles().filter((file) => !file.endsWith('slo.yml')),
    testsOf('firing'),
  );
});

test('exactly the right alerts fire, in every story of hours', { timeout: STORIES_MS }, async () => {
  await testRules(ruleFiles(), testsOf('firing', true));
});

test('every alert fires in some story', () => {
  const fired = new Set(Object.values(stories).flatMap(({ firing }) => Object.values(firing).flat()));
  const names = allRules().flatMap((rule) => (isAlert(rule) ? [rule.alert] : []));
  expect([...fired].sort()).toEqual([...names].sort());
});

test('the alert about dispatchers names both stores: an outage of either fires it', () => {
  const fires = Object.entries(stories).filter(([, { firing }]) =>
    Object.values(firing).flat().includes('DispatcherDown'),
  );
  expect(fires.map(([name]) => /^\w+/.exec(name)![0])).toEqual(
    expect.arrayContaining(['Redis', 'PostgreSQL']),
  );
  const alert = allRules().find((rule) => isAlert(rule) && rule.alert === 'DispatcherDown') as AlertRule;
  expect(alert.annotations?.['runbook']).toMatch(/Redis.*Postgres/);
});

test("the owner's alerts as he wrote them are silent or wrong, as the runbook says", async () => {
  const rules = runbookAlerts(true);
  expect(rules.map(({ alert }) => alert)).toEqual([
    'RealtimePipelineDown',
    'ConsumerHighLag',
    'ConsumerHighFailureRate',
    'ConsumerDedupeHigh',
  ]);
  const file = path.join(dir, 'as-written.yml');
  writeFileSync(file, stringify({ groups: [{ name: 'as-written', rules }] }));
  await testRules([file], testsOf('asWritten'));
});

test("the runbook's alerts that work are those of the rules, and keep what the owner gave his", () => {
  const works = runbookAlerts(false);
  const rules = new Map(allRules().flatMap((rule) => (isAlert(rule) ? [[rule.alert, rule]] : [])));
  for (const alert of works) expect(rules.get(alert.alert)).toEqual(alert);
  const his = runbookAlerts(true);
  expect(works.map(({ alert, for: duration, annotations }) => ({ alert, duration, annotations }))).toEqual(
    his.map(({ alert, for: duration, annotations }) => ({ alert, duration, annotations })),
  );
});
