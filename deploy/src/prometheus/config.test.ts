import { workspaceDir } from '@sanctum/local-servers';
import { createMetrics } from '@sanctum/messaging/metrics';
import type { Deployment } from 'kubernetes-types/apps/v1';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseDocument, visit, type Pair, type Scalar } from 'yaml';
import { kubernetesDir, render } from '../render.ts';
import { PROMETHEUS_RULE_FILE, prometheusRuleYaml } from './prometheus-rule.ts';
import { promtool } from './promtool.ts';
import { allRules, isAlert, metricsIn, prometheusDir, ruleFiles } from './rule-files.ts';

const alertmanager = path.join(prometheusDir, 'alertmanager.yml');

/** Debian builds Prometheus without Kubernetes: what would be discovered there is given here. */
async function withTargets<T>(
  labels: Readonly<Record<string, string>>,
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = mkdtempSync(path.join(tmpdir(), 'sanctum-test-'));
  try {
    cpSync(path.join(prometheusDir, 'rules'), path.join(dir, 'rules'), { recursive: true });
    const text = readFileSync(path.join(prometheusDir, 'prometheus-kubernetes.yml'), 'utf8');
    const config = parseDocument(text);
    const targets = [{ targets: ['a:1'], labels }];
    let given = 0;
    visit(config, {
      Pair(_, pair) {
        if ((pair.key as Scalar).value !== 'kubernetes_sd_configs') return;
        given += 1;
        return config.createPair('static_configs', targets) as Pair;
      },
    });
    expect(given).toBe(2);
    writeFileSync(path.join(dir, 'prometheus.yml'), config.toString());
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('Prometheus takes the configuration for a cluster', async () => {
  await withTargets({}, (cwd) => promtool(['check', 'config', 'prometheus.yml'], { cwd }));
});

test("in a cluster the canary's pods are labelled so, and no others", async () => {
  const manifests = await render(path.join(kubernetesDir, 'overlays/example'));
  const deployments = manifests.filter(({ kind }) => kind === 'Deployment') as unknown as Deployment[];
  const canaries = await Promise.all(
    deployments.map(async ({ metadata, spec }) => {
      const podLabels = Object.entries(spec!.template.metadata!.labels!);
      const discovered = {
        ...Object.fromEntries(
          podLabels.map(([name, value]) => [`__meta_kubernetes_pod_label_${name}`, value]),
        ),
        __meta_kubernetes_pod_container_port_name: 'http',
        __meta_kubernetes_pod_phase: 'Running',
        __meta_kubernetes_pod_name: 'a-pod',
      };
      const printed = await withTargets(discovered, (cwd) =>
        // It looks on for that long, whatever it has found.
        promtool(['check', 'service-discovery', '--timeout=2s', 'prometheus.yml', 'messaging'], { cwd }),
      );
      const [target] = JSON.parse(printed.slice(printed.indexOf('['))) as [
        { labels: Record<string, string> },
      ];
      expect(target.labels['instance']).toBe('a-pod');
      return [metadata!.name, target.labels['canary']];
    }),
  );
  expect(Object.fromEntries(canaries)).toEqual({ messaging: undefined, 'messaging-canary': 'true' });
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

test('what a comment of the rules points at exists', () => {
  const named = ruleFiles().flatMap((file) =>
    Array.from(readFileSync(file, 'utf8').matchAll(/^ *#.*$/gm)).flatMap(([comment]) =>
      Array.from(comment.matchAll(/(?<![\w/])(?:\.\.|deploy|docs)\/[\w/.-]*\w/g), ([place]) =>
        path.resolve(place.startsWith('.') ? path.dirname(file) : workspaceDir, place),
      ),
    ),
  );
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((place) => !existsSync(place))).toEqual([]);
});

test("the operator's PrometheusRule has these rules: else run write-prometheus-rule.ts", () => {
  expect(readFileSync(PROMETHEUS_RULE_FILE, 'utf8')).toBe(prometheusRuleYaml());
});
