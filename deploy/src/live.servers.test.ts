import { workspaceDir } from '@sanctum/local-servers';
import { eventually } from '@sanctum/messaging/tests/support/eventually';
import { commandsOfKind } from '@sanctum/messaging/tests/integration/runbook/runbook-commands';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { panels, queries } from './grafana/panels.ts';
import { type LivePrometheus, startPrometheus } from './prometheus/live-prometheus.ts';
import { allRules, isAlert, metricsIn } from './prometheus/rule-files.ts';

/*
 * Two pods under light load, and a real Prometheus that scrapes them and evaluates our rules: every panel of the
 * dashboard has data, every rule can be evaluated, no alert is even pending, and every metric that we name
 * anywhere exists.
 */

const SCRAPE_MS = 500;
const POST_EVERY_MS = 20;
/** A rate needs two scrapes, the figures of stream and outbox are fresh every 5 s, as is the synthetic message. */
const DATA_MS = 30_000;
const TIMEOUT = { timeout: DATA_MS + 10_000 };

const dir = mkdtempSync(path.join(tmpdir(), 'sanctum-test-'));
let scene: Scene;
let pods: Pod[];
let prometheus: LivePrometheus;
let posting: Promise<void>;
let isOver = false;

beforeAll(async () => {
  scene = await Scene.begin();
  pods = [await scene.pod(), await scene.pod()];
  prometheus = await startPrometheus({
    dir: path.join(dir, 'prometheus'),
    targets: pods.map(({ httpUrl }) => new URL(httpUrl).host),
    scrapeMs: SCRAPE_MS,
  });
  const [one, other] = pods as [Pod, Pod];
  const id = await scene.conversation(one, ['alice', 'bob']);
  const bob = await scene.connect(other, 'bob');
  posting = (async () => {
    for (let count = 1; !isOver; count++) {
      await scene.post(one, 'alice', id);
      await bob.untilMessages(id, count, DATA_MS);
      await delay(POST_EVERY_MS);
    }
  })();
});
afterAll(async () => {
  isOver = true;
  await posting;
  await prometheus.stop();
  await scene.end();
  rmSync(dir, { recursive: true });
});

test('every query of every panel, and every one of the runbook that works, has data', TIMEOUT, async () => {
  expect(panels.length).toBeGreaterThan(10);
  const ofRunbook = commandsOfKind('promql').filter(({ asWritten }) => !asWritten);
  const all = new Set([...queries.map(({ expr }) => expr), ...ofRunbook.map(({ text }) => text)]);
  await eventually(async () => {
    const silent: string[] = [];
    for (const expr of all) if ((await prometheus.query(expr)).length === 0) silent.push(expr);
    expect(silent).toEqual([]);
  }, DATA_MS);
});

test('what Prometheus counts is what was done', TIMEOUT, async () => {
  await eventually(async () => {
    const [delivered] = await prometheus.query('sum(messaging_consumer_delivered_total)');
    expect(delivered?.value).toBeGreaterThan(0);
    expect(await prometheus.query('up == 1')).toHaveLength(2);
    expect(await prometheus.query('messaging_path_ok == 1')).toHaveLength(2);
    // The label that Prometheus renames: our alerts go by this name.
    const jobs = await prometheus.query(
      'max by (task) (messaging_background_job_last_success_timestamp_seconds)',
    );
    expect(jobs.map(({ labels }) => labels['task'])).toContain('prune_outbox');
  }, DATA_MS);
});

test('every rule can be evaluated, and no alert is about to fire', TIMEOUT, async () => {
  await eventually(async () => {
    const rules = await prometheus.rules();
    expect(rules).toHaveLength(allRules().length);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    // Most wait for minutes before they fire: one that is wrong is pending here. Recording rules have no state.
    const alerts = rules.filter(({ state }) => state !== undefined);
    expect(alerts).toHaveLength(allRules().filter(isAlert).length);
    expect(alerts.filter(({ state }) => state !== 'inactive')).toEqual([]);
  }, DATA_MS);
});

test('every metric that a rule, a panel or a page names is on /metrics of a pod', async () => {
  const text = await (await fetch(`${pods[0]!.httpUrl}/metrics`)).text();
  const real = new Set(Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name));
  const pages = readdirSync(path.join(workspaceDir, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => readFileSync(path.join(workspaceDir, 'docs', name), 'utf8'));
  const texts = [...allRules().map(({ expr }) => expr), ...queries.map(({ expr }) => expr), ...pages];
  const named = metricsIn(texts.join('\n'));
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((name) => !real.has(name) && !NO_METRICS.has(name))).toEqual([]);
});

/** A database of tests. */
const NO_METRICS: ReadonlySet<string> = new Set(['messaging_test']);
