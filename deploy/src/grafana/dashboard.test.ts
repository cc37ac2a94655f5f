import { workspaceDir } from '@sanctum/local-servers';
import { createMetrics } from '@sanctum/messaging/metrics';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkExpressions } from '../prometheus/promtool.ts';
import { metricsIn } from '../prometheus/rule-files.ts';
import { DASHBOARD_FILE, dashboardJson } from './dashboard.ts';
import { panels, queries, rows } from './panels.ts';

test('the committed dashboard is the one that the code makes: else run write-dashboard.ts', () => {
  expect(readFileSync(DASHBOARD_FILE, 'utf8')).toBe(dashboardJson());
});

test("it has every panel of the owner's tree, in his order and with his names", () => {
  const runbook = readFileSync(path.join(workspaceDir, 'docs/runbook.md'), 'utf8');
  const [, tree] = /```\nRealtime Messaging Overview\n([^`]+)```/.exec(runbook)!;
  const leaves = tree!
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^[│ ]*[├└]── /, ''));
  expect(leaves).toHaveLength(9);
  const titles = rows.flatMap((row) => [row.title, ...row.panels.map(({ title }) => title)]);
  expect(titles.filter((title) => leaves.includes(title))).toEqual(leaves);
  expect(dashboardJson()).toContain('"title": "Realtime Messaging Overview"');
});

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly legendFormat: string }[];
  readonly options?: { readonly legend: { readonly showLegend: boolean } };
}

test('every panel of several lines says which line is which', () => {
  const { panels: made } = JSON.parse(dashboardJson()) as { panels: Panel[] };
  const several = made.filter(
    ({ type, targets = [] }) =>
      type === 'timeseries' &&
      (targets.length > 1 || targets.some(({ legendFormat }) => legendFormat.includes('{{'))),
  );
  expect(several.length).toBeGreaterThan(5);
  const unnamed = several.filter(({ options }) => options?.legend.showLegend !== true);
  expect(unnamed.map(({ title }) => title)).toEqual([]);
});

test('every query is PromQL', async () => {
  expect(queries.length).toBeGreaterThan(panels.length);
  await checkExpressions(queries.map(({ expr }) => expr));
});

test('every metric of a query exists', () => {
  const { registry } = createMetrics({ dispatcher: true, consumer: true });
  const named = metricsIn(queries.map(({ expr }) => expr).join('\n'));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => registry.getSingleMetric(name) === undefined)).toEqual([]);
});

test('Grafana of the compose file finds the dashboard, and Prometheus', () => {
  const read = (file: string): unknown =>
    parse(readFileSync(path.join(workspaceDir, 'deploy/docker', file), 'utf8'));
  expect(read('grafana/datasources/prometheus.yaml')).toMatchObject({
    datasources: [{ type: 'prometheus', url: 'http://prometheus:9090', isDefault: true }],
  });
  expect(read('grafana/dashboards/sanctum.yaml')).toMatchObject({
    providers: [{ type: 'file', options: { path: '/var/lib/grafana/dashboards' } }],
  });
  const compose = read('compose.yaml') as { services: Record<string, { volumes: string[] }> };
  expect(compose.services['grafana']!.volumes).toContain(
    '../grafana/dashboards:/var/lib/grafana/dashboards:ro',
  );
});
