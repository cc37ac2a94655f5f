/*
 * What Prometheus would have scraped of a pod, minute by minute, in promtool's notation: the pod is in one state after
 * another, and a state says by how much each counter grows between two scrapes and what each gauge shows.
 */

export const SCRAPE_SECONDS = 15;

const POSTS = 'route="/v1/conversations/{id}/messages",method="POST"';

const DISPATCHER_COUNTERS = {
  ticksEmpty: 'messaging_dispatch_ticks_total{result="empty"}',
  ticksError: 'messaging_dispatch_ticks_total{result="error"}',
  ticksPaused: 'messaging_dispatch_ticks_total{result="paused"}',
  picked: 'messaging_outbox_picked_total',
  sent: 'messaging_outbox_sent_total',
  dead: 'messaging_outbox_dead_total',
  published: 'messaging_dispatch_published_total',
} as const;

const DISPATCHER_GAUGES = {
  deadRows: 'messaging_outbox_dead_rows',
  oldestPending: 'messaging_outbox_oldest_pending_seconds',
} as const;

const CONSUMER_COUNTERS = {
  fetch: 'messaging_consumer_fetch_total',
  delivered: 'messaging_consumer_delivered_total',
  acked: 'messaging_consumer_ack_total',
  dedupe: 'messaging_consumer_dedupe_skips_total',
  fetchErrors: 'messaging_consumer_failures_total{reason="fetch_error"}',
  parseErrors: 'messaging_consumer_failures_total{reason="parse_error"}',
  /** Broadcast within that many seconds. */
  within1: 'messaging_consumer_lag_seconds_bucket{le="1"}',
  within5: 'messaging_consumer_lag_seconds_bucket{le="5"}',
  within10: 'messaging_consumer_lag_seconds_bucket{le="10"}',
  within20: 'messaging_consumer_lag_seconds_bucket{le="20"}',
  withinAny: 'messaging_consumer_lag_seconds_bucket{le="+Inf"}',
  trimmed: 'messaging_stream_trimmed_unread_total',
} as const;

const CONSUMER_GAUGES = {
  oldestUnread: 'messaging_consumer_oldest_unread_seconds',
  pathOk: 'messaging_path_ok',
  unread: 'messaging_stream_unread',
  maxLength: 'messaging_stream_max_length',
} as const;

const EVERY_POD_COUNTERS = {
  missing: 'messaging_hub_missing_total',
  accepted: `messaging_http_requests_total{${POSTS},status="201"}`,
  refused: `messaging_http_requests_total{${POSTS},status="503"}`,
  jobFailures: 'messaging_background_job_failures_total{task="prune_outbox"}',
  heardWithin2: 'messaging_end_to_end_seconds_bucket{le="2"}',
  heard: 'messaging_end_to_end_seconds_count',
} as const;

const EVERY_POD_GAUGES = {
  defaultRows: 'messaging_outbox_default_partition_rows',
  daysAhead: 'messaging_outbox_partitions_ahead_days',
  paused: 'messaging_control_paused{stage="dispatcher"}',
  clockOffset: 'messaging_clock_offset_seconds',
  pausedSince: 'messaging_control_paused_since_timestamp_seconds{stage="dispatcher"}',
  pauseEnds: 'messaging_control_expires_timestamp_seconds{stage="dispatcher"}',
} as const;

/** A time: in each second that a job is well, its last success moves on by one. */
const TIMES = {
  jobIsWell: 'messaging_background_job_last_success_timestamp_seconds{task="prune_outbox"}',
} as const;

const ALL = {
  ...DISPATCHER_COUNTERS,
  ...DISPATCHER_GAUGES,
  ...CONSUMER_COUNTERS,
  ...CONSUMER_GAUGES,
  ...EVERY_POD_COUNTERS,
  ...EVERY_POD_GAUGES,
  ...TIMES,
};
type Figure = keyof typeof ALL;

/** Growth of counters between two scrapes, values of gauges; what is not named is 0. */
export type State = Readonly<Partial<Record<Figure, number>>>;

/** A quiet pod's: it looks into the outbox, sends its synthetic messages, and gets them back. */
const ALIVE: State = { ticksEmpty: 150, pathOk: 1, maxLength: 1_000_000, daysAhead: 3, jobIsWell: 1 };

/** `count` messages between two scrapes, all through every stage and to a client within a second. */
export function moving(count: number): State {
  return {
    ...ALIVE,
    ...dispatched(count),
    fetch: count,
    delivered: count,
    acked: count,
    ...laggingIn('within1', count),
    accepted: count,
    heardWithin2: count,
    heard: count,
  };
}

export function dispatched(count: number): State {
  return { picked: count, sent: count, published: count };
}

const LAG_BUCKETS = ['within1', 'within5', 'within10', 'within20', 'withinAny'] as const;

/** `count` observations of a lag in that bucket and no lower one. */
export function laggingIn(bucket: (typeof LAG_BUCKETS)[number], count: number): State {
  const from = LAG_BUCKETS.indexOf(bucket);
  return Object.fromEntries(LAG_BUCKETS.map((each, index) => [each, index >= from ? count : 0]));
}

export const busy = moving(50);
/** The synthetic messages of one pod and nothing else. */
export const idle = { ...moving(3), accepted: 0, heard: 0, heardWithin2: 0 };
export const quiet = ALIVE;

export interface Span {
  readonly minutes: number;
  /** The state at the n-th scrape of the span, or no pod at all. */
  readonly state: State | ((scrape: number) => State) | 'gone';
  /** The process begins anew here: its counters are 0 again. */
  readonly restarted?: boolean;
  /** Stages that this pod has; both unless said. */
  readonly stages?: 'both' | 'dispatcher' | 'consumer';
}

/** All series of one pod, from its first minute on. */
export function podSeries(
  pod: string,
  spans: readonly Span[],
  scrapeSeconds = SCRAPE_SECONDS,
): Record<string, string> {
  const values = new Map<Figure, string[]>();
  const totals = new Map<Figure, number>();
  for (const figure of Object.keys(ALL) as Figure[]) values.set(figure, []);
  for (const { minutes, state, restarted = false, stages = 'both' } of spans) {
    if (restarted || state === 'gone') totals.clear();
    for (let scrape = 0; scrape < (minutes * 60) / scrapeSeconds; scrape++) {
      const now = typeof state === 'function' ? state(scrape) : state;
      for (const [figure, row] of values) {
        if (now === 'gone' || !has(stages, figure)) {
          // Prometheus marks a series stale when its target is gone; after that there is nothing.
          row.push(row.length > 0 && !'_s'.includes(row.at(-1)![0]!) ? 'stale' : '_');
          continue;
        }
        const value = isGauge(figure) ? (now[figure] ?? 0) : (totals.get(figure) ?? 0);
        row.push(String(value));
        if (!isGauge(figure))
          totals.set(figure, value + (now[figure] ?? 0) * (figure in TIMES ? scrapeSeconds : 1));
      }
    }
  }
  return Object.fromEntries(
    Array.from(values, ([figure, row]) => [withPod(ALL[figure], pod), row.join(' ')]),
  );
}

/** The same as Prometheus 3 stores it: a bucket's bound is a float there, `2.0` and not `2`. */
export function withFloatBounds(series: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(series).map(([name, values]) => [name.replace(/le="(\d+)"/, 'le="$1.0"'), values]),
  );
}

function has(stages: 'both' | 'dispatcher' | 'consumer', figure: Figure): boolean {
  if (stages !== 'consumer' && (figure in DISPATCHER_COUNTERS || figure in DISPATCHER_GAUGES)) return true;
  if (stages !== 'dispatcher' && (figure in CONSUMER_COUNTERS || figure in CONSUMER_GAUGES)) return true;
  return figure in EVERY_POD_COUNTERS || figure in EVERY_POD_GAUGES || figure in TIMES;
}

function isGauge(figure: Figure): boolean {
  return figure in DISPATCHER_GAUGES || figure in CONSUMER_GAUGES || figure in EVERY_POD_GAUGES;
}

function withPod(series: string, pod: string): string {
  return series.endsWith('}') ? `${series.slice(0, -1)},instance="${pod}"}` : `${series}{instance="${pod}"}`;
}
