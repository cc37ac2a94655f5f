import type { LabelSelector, ObjectMeta } from 'kubernetes-types/meta/v1';

/** Of the kinds of the Prometheus operator (`monitoring.coreos.com/v1`) the fields that our manifests use. */

export interface ServiceMonitor {
  apiVersion: 'monitoring.coreos.com/v1';
  kind: 'ServiceMonitor';
  metadata: ObjectMeta;
  spec: {
    selector: LabelSelector;
    endpoints: { port: string; path: string; interval: string; scrapeTimeout: string }[];
  };
}

export interface PrometheusRule {
  apiVersion: 'monitoring.coreos.com/v1';
  kind: 'PrometheusRule';
  metadata: ObjectMeta;
  spec: { groups: { name: string; interval?: string; rules: Rule[] }[] };
}

type Rule = { expr: string | number; labels?: Record<string, string> } & (
  | { alert: string; for?: string; keep_firing_for?: string; annotations?: Record<string, string> }
  | { record: string }
);
