import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { PrometheusRule } from '../prometheus-operator.ts';
import { kubernetesDir } from '../render.ts';
import { ruleFiles } from './rule-files.ts';

export const PROMETHEUS_RULE_FILE = path.join(kubernetesDir, 'components/monitoring/prometheus-rule.yaml');

/** All rules as the Prometheus operator wants them. */
export function prometheusRuleYaml(): string {
  const groups = ruleFiles().flatMap(
    (file) => (parse(readFileSync(file, 'utf8')) as PrometheusRule['spec']).groups,
  );
  const resource: PrometheusRule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'messaging', labels: { app: 'messaging' } },
    spec: { groups },
  };
  const head = '# Made from deploy/prometheus/rules by deploy/src/prometheus/write-prometheus-rule.ts.\n';
  return head + stringify(resource, { lineWidth: 0, aliasDuplicateObjects: false });
}
