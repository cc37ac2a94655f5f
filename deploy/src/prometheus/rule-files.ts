import { workspaceDir } from '@sanctum/local-servers';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

export const prometheusDir = path.join(workspaceDir, 'deploy/prometheus');

/** The files of rules, by their absolute paths. */
export function ruleFiles(): string[] {
  const dir = path.join(prometheusDir, 'rules');
  return readdirSync(dir)
    .filter((name) => name.endsWith('.yml'))
    .sort()
    .map((name) => path.join(dir, name));
}

/** Every rule of every file. */
export function allRules(): (AlertRule | RecordingRule)[] {
  return ruleFiles().flatMap((file) => {
    const { groups } = parse(readFileSync(file, 'utf8')) as {
      groups: { rules: (AlertRule | RecordingRule)[] }[];
    };
    return groups.flatMap(({ rules }) => rules);
  });
}

export function isAlert(rule: AlertRule | RecordingRule): rule is AlertRule {
  return 'alert' in rule;
}

/** The metrics of the service that an expression or a text names, without the suffixes of histograms. */
export function metricsIn(text: string): string[] {
  const names = Array.from(
    text.matchAll(/(?<![\w:])(?:messaging|transport)_[a-z_]*[a-z](?![\w:.])/g),
    ([name]) => name.replace(/(?<=_seconds)_(?:bucket|count|sum)$/, ''),
  );
  return [...new Set(names)].sort();
}
