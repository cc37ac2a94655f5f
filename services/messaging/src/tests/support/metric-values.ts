import type { Counter, Gauge, Histogram } from 'prom-client';

/** A metric's value, or the sum over its series; of one series with `labels`. A histogram's is its count. */
export async function valueOf(
  metric: Counter | Gauge | Histogram,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { values, type } = (await metric.get()) as unknown as {
    values: { value: number; labels: Record<string, unknown>; metricName?: string }[];
    type: string;
  };
  return values
    .filter(({ metricName }) => type !== 'histogram' || metricName?.endsWith('_count'))
    .filter((series) => Object.entries(labels).every(([name, value]) => series.labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
