import type { ControlledStage } from '@sanctum/protocol/admin';
import type { Metric, Metrics } from '../metrics.ts';

/** Cumulative since the pod's start; the difference of two is what happened between them. */
export interface PodTotals {
  readonly accepted: number;
  readonly intakeErrors: number;
  readonly dispatched: number;
  readonly rowsFailed: number;
  readonly dispatchErrors: number;
  readonly published: number;
  readonly consumed: number;
  readonly consumerErrors: number;
  readonly malformed: number;
  readonly slowPath: number;
  readonly missing: number;
  readonly frames: number;
  readonly slowClosed: number;
  /** How many observations fell into each bucket of the histogram, the last one: above all bounds. */
  readonly lag: readonly number[];
  readonly endToEnd: readonly number[];
}

/** What a pod says of itself every second. `v` rises when a field changes its meaning. */
export interface PodFigures {
  readonly v: 1;
  /** Names one run of one process. */
  readonly instance: string;
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch, by the pod's own clock. */
  readonly startedAt: number;
  /** The same, and never going back. */
  readonly at: number;
  readonly epoch: number;
  readonly state: 'starting' | 'ready' | 'degraded' | 'not_ready' | 'draining';
  readonly reasons: readonly string[];
  readonly dispatcher: boolean;
  readonly consumer: boolean;
  readonly paused: readonly ControlledStage[];
  readonly busHeard: boolean;
  readonly connections: number;
  readonly slowConnections: number;
  readonly conversations: number;
  readonly oldestUnreadSeconds: number;
  readonly pending: number;
  /** How long it keeps messages and dead letters, in days; a build of before does not say. */
  readonly retention?: { readonly outboxDays: number; readonly dlqDays: number };
  /** Which stream it writes to or reads, and as which group; a build of before does not say. */
  readonly stream?: {
    readonly name: string;
    readonly partitions: number;
    readonly maxLength: number;
    readonly group: string;
  };
  readonly totals: PodTotals;
}

/** Reads the totals out of the metrics, so that no figure is counted twice. */
export async function readTotals(metrics: Metrics): Promise<PodTotals> {
  const errors = ({ status }: Labels) => String(status).startsWith('5');
  const isPost = ({ route, method }: Labels) =>
    method === 'POST' && route === '/v1/conversations/{id}/messages';
  return {
    accepted: await sum(metrics.httpRequests, (labels) => isPost(labels) && labels['status'] === '201'),
    intakeErrors: await sum(metrics.httpRequests, (labels) => isPost(labels) && errors(labels)),
    dispatched: await sum(metrics.outboxSent),
    rowsFailed: (await sum(metrics.outboxFailed)) + (await sum(metrics.outboxDead)),
    dispatchErrors: await sum(metrics.dispatchTicks, ({ result }) => result === 'error'),
    published: await sum(metrics.dispatchPublished),
    consumed: await sum(metrics.consumerDelivered),
    consumerErrors: await sum(metrics.consumerFailures, ({ reason }) => reason !== 'parse_error'),
    malformed: await sum(metrics.consumerFailures, ({ reason }) => reason === 'parse_error'),
    slowPath: await sum(metrics.hubSlowPath),
    missing: await sum(metrics.hubMissing),
    frames: await sum(metrics.transportMessagesSent),
    slowClosed: await sum(metrics.transportConnectionsClosed, ({ code }) => code === '4412'),
    lag: await bucketsOf(metrics.consumerLagSeconds),
    endToEnd: await bucketsOf(metrics.endToEndSeconds),
  };
}

/** A metric's value, over all of its series. */
export function valueOf(metric: Metric): Promise<number> {
  return sum(metric);
}

type Labels = Readonly<Record<string, unknown>>;

async function sum(metric: Metric, wanted: (labels: Labels) => boolean = () => true): Promise<number> {
  let total = 0;
  for (const { labels, value } of (await metric.get()).values) if (wanted(labels)) total += value;
  return total;
}

/** prom-client's buckets are cumulative; these are not. */
async function bucketsOf(histogram: Metrics['consumerLagSeconds']): Promise<number[]> {
  const counts = (await histogram.get()).values
    .filter(({ metricName }) => metricName?.endsWith('_bucket'))
    .map(({ value }) => value);
  return counts.map((value, i) => value - (counts[i - 1] ?? 0));
}
