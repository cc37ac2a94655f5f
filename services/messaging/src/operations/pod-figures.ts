import { CONTROLLED_STAGES } from '@sanctum/protocol/admin';
import { z } from 'zod';
import type { Metric, Metrics } from '../metrics.ts';

const total = z.number();
/** How many observations fell into each bucket of the histogram, the last one: above all bounds. */
const histogram = z.array(z.number()).max(100);

/** Cumulative since the pod's start; the difference of two is what happened between them. */
const podTotals = z.object({
  accepted: total,
  intakeErrors: total,
  dispatched: total,
  rowsFailed: total,
  dispatchErrors: total,
  published: total,
  consumed: total,
  consumerErrors: total,
  malformed: total,
  slowPath: total,
  missing: total,
  frames: total,
  slowClosed: total,
  lag: histogram,
  endToEnd: histogram,
});
export type PodTotals = Readonly<z.output<typeof podTotals>>;

/**
 * What a pod says of itself every second. `v` rises when a field changes its meaning. A schema, since it comes back
 * over the bus and out of a table, from pods of other versions: what does not look like this is passed over.
 */
export const podFigures = z.object({
  v: z.literal(1),
  /** Names one run of one process. */
  instance: z.string().min(1),
  name: z.string(),
  version: z.string(),
  /** Milliseconds since the epoch, by the pod's own clock. */
  startedAt: z.number(),
  at: z.number(),
  epoch: z.number(),
  state: z.enum(['starting', 'ready', 'degraded', 'not_ready', 'draining']),
  reasons: z.array(z.string()),
  dispatcher: z.boolean(),
  consumer: z.boolean(),
  paused: z.array(z.enum(CONTROLLED_STAGES)),
  busHeard: z.boolean(),
  connections: z.number(),
  slowConnections: z.number(),
  conversations: z.number(),
  oldestUnreadSeconds: z.number(),
  pending: z.number(),
  totals: podTotals,
});
export type PodFigures = Readonly<z.output<typeof podFigures>>;

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
