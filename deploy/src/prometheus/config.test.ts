import { workspaceDir } from '@sanctum/local-servers';
import { createMetrics } from '@sanctum/messaging/metrics';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PROMETHEUS_RULE_FILE, prometheusRuleYaml } from './prometheus-rule.ts';
import { promtool } from './promtool.ts';
import { allRules, isAlert, metricsIn, prometheusDir } from './rule-files.ts';

const alertmanager = path.join(prometheusDir, 'alertmanager.yml');

test('Prometheus takes the configuration for a cluster', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sanctum-test-'));
  try {
    cpSync(path.join(prometheusDir, 'rules'), path.join(dir, 'rules'), { recursive: true });
    const text = readFileSync(path.join(prometheusDir, 'prometheus-kubernetes.yml'), 'utf8');
    // Debian builds Prometheus without Kubernetes: what is discovered there is given here.
    const given = text.replaceAll(
      /kubernetes_sd_configs:\n +- role: pod\n/g,
      "static_configs:\n - targets: ['a:1']\n",
    );
    const indented = given.replaceAll(/^( *)(- )?static_configs:\n - /gm, (_, indent: string, dash = '') => {
      const inner = `${indent}${dash === '' ? '' : '  '}`;
      return `${indent}${dash}static_configs:\n${inner}  - `;
    });
    expect(indented).not.toBe(text);
    writeFileSync(path.join(dir, 'prometheus.yml'), indented);
    await promtool(['check', 'config', 'prometheus.yml'], { cwd: dir });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('critical alerts reach the pager and the channel, warnings the channel alone', async () => {
  await promtool(['check-config', alertmanager], { tool: 'amtool' });
  const receivers = async (severity: string) =>
    (
      await promtool(['config', 'routes', 'test', `--config.file=${alertmanager}`, `severity=${severity}`], {
        tool: 'amtool',
      })
    )
      .split('\n')
      .find((line) => line !== '' && !line.startsWith('Warning'));
  expect(await receivers('critical')).toBe('pager,slack');
  expect(await receivers('warning')).toBe('slack');
  const text = readFileSync(alertmanager, 'utf8');
  expect(text).toContain("channel: '#platform-messaging'");
  expect(text).not.toMatch(/(?:api_url|routing_key|service_key):/);
});

test('every alert has a severity that is routed, a summary and a word on what to do', () => {
  for (const rule of allRules().filter(isAlert)) {
    expect(rule.labels?.['severity'], rule.alert).toMatch(/^(?:critical|warning)$/);
    expect(rule.annotations?.['summary'], rule.alert).toBeTruthy();
    expect(rule.annotations?.['runbook'], rule.alert).toBeTruthy();
  }
});

test('the page about alerts lists each with its duration and severity', () => {
  const page = readFileSync(path.join(workspaceDir, 'docs/alerts.md'), 'utf8');
  const listed = Array.from(
    page.matchAll(/^\| `(\w+)` +\|.*\| (\S+)(?: min)? +\| `(\w+)` +\|$/gm),
    ([, alert, minutes, severity]) => `${alert} ${minutes === '–' ? '' : `${minutes}m`} ${severity}`,
  );
  const rules = allRules()
    .filter(isAlert)
    .map((rule) => `${rule.alert} ${rule.for ?? ''} ${rule.labels?.['severity']}`);
  expect(listed.sort()).toEqual(rules.sort());
});

test('every metric that a rule names exists', () => {
  const { registry } = createMetrics({ dispatcher: true, consumer: true });
  const named = metricsIn(
    allRules()
      .map(({ expr }) => expr)
      .join('\n'),
  );
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((name) => registry.getSingleMetric(name) === undefined)).toEqual([]);
});

test("the operator's PrometheusRule has these rules: else run write-prometheus-rule.ts", () => {
  expect(readFileSync(PROMETHEUS_RULE_FILE, 'utf8')).toBe(prometheusRuleYaml());
});
