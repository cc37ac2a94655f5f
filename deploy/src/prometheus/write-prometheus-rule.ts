// After a change of rules: `node --import tsx deploy/src/prometheus/write-prometheus-rule.ts`.
import { writeFileSync } from 'node:fs';
import { PROMETHEUS_RULE_FILE, prometheusRuleYaml } from './prometheus-rule.ts';

writeFileSync(PROMETHEUS_RULE_FILE, prometheusRuleYaml());
