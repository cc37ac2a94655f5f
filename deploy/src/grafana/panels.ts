/** The owner's dashboard, panel by panel in his tree, and below it what his does not show. Pure data. */

export interface Query {
  readonly expr: string;
  /** What the line is called; `{{label}}` is filled in by Grafana. */
  readonly legend: string;
}

export interface PanelSpec {
  readonly title: string;
  readonly description: string;
  /** Of Grafana: `s`, `percentunit`, `ops`, `short`. */
  readonly unit: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly queries: readonly Query[];
}

export interface RowSpec {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

const perSecond = (metric: string) => `sum(rate(${metric}[1m]))`;
const quantile = (q: number, metric: string) =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket[5m])))`;
const quantiles = (metric: string, prefix = ''): Query[] =>
  [50, 95, 99].map((percent) => ({ expr: quantile(percent / 100, metric), legend: `${prefix}p${percent}` }));
/** Without traffic 0; failures without any traffic are not hidden. */
const share = (failed: string, all: string) => `${failed} / clamp_min(${all}, 0.01)`;

const END_TO_END = 'messaging_end_to_end_seconds';
const LAG = 'messaging_consumer_lag_seconds';

export const rows: readonly RowSpec[] = [
  {
    title: 'End-to-End Latency',
    panels: [
      {
        title: 'End-to-End Latency (p50, p95, p99)',
        description: 'From commit to the acknowledgement of a client. Service level: p95 below 2 s.',
        unit: 's',
        width: 24,
        queries: quantiles(END_TO_END),
      },
    ],
  },
  {
    title: 'Throughput (messages/sec at each stage)',
    panels: [
      {
        title: 'Outbox → Dispatcher',
        description: 'Rows claimed, and rows marked sent.',
        unit: 'ops',
        width: 6,
        queries: [
          { expr: perSecond('messaging_outbox_picked_total'), legend: 'picked' },
          { expr: perSecond('messaging_outbox_sent_total'), legend: 'sent' },
        ],
      },
      {
        title: 'Dispatcher → Redis',
        description: 'XADDs that Redis acknowledged; of them re-sends after Redis may have lost its memory.',
        unit: 'ops',
        width: 6,
        queries: [
          { expr: perSecond('messaging_dispatch_published_total'), legend: 'published' },
          { expr: perSecond('messaging_dispatch_resent_total'), legend: 're-sent' },
        ],
      },
      {
        title: 'Redis → Consumer',
        description: 'Entries read, and entries acknowledged.',
        unit: 'ops',
        width: 6,
        queries: [
          { expr: perSecond('messaging_consumer_fetch_total'), legend: 'read' },
          { expr: perSecond('messaging_consumer_ack_total'), legend: 'acknowledged' },
        ],
      },
      {
        title: 'Consumer → WebSocket',
        description: 'Entries broadcast, and frames written to sockets: about broadcast × readers.',
        unit: 'ops',
        width: 6,
        queries: [
          { expr: perSecond('messaging_consumer_delivered_total'), legend: 'broadcast' },
          { expr: perSecond('transport_messages_sent_total'), legend: 'frames' },
        ],
      },
    ],
  },
  {
    title: 'Error Rate, Lag and Connections',
    panels: [
      {
        title: 'Error Rate (% per component)',
        description:
          'Intake: API calls answered 5xx. Dispatcher: rows that failed for their own sake. Consumer: failures of entries read. WebSocketHub: error frames of all frames.',
        unit: 'percentunit',
        width: 8,
        queries: [
          {
            expr: share(
              perSecond('messaging_http_requests_total{route=~"/v1/.*",status=~"5.."}'),
              perSecond('messaging_http_requests_total{route=~"/v1/.*"}'),
            ),
            legend: 'intake',
          },
          {
            expr: share(
              perSecond('messaging_outbox_failed_total'),
              perSecond('messaging_outbox_picked_total'),
            ),
            legend: 'dispatcher',
          },
          {
            expr: share(
              perSecond('messaging_consumer_failures_total'),
              perSecond('messaging_consumer_fetch_total'),
            ),
            legend: 'consumer',
          },
          {
            expr: share(
              perSecond('transport_errors_total'),
              `(${perSecond('transport_messages_sent_total')} + ${perSecond('transport_errors_total')})`,
            ),
            legend: 'WebSocketHub',
          },
        ],
      },
      {
        title: 'Consumer Lag (seconds behind dispatcher)',
        description:
          'The age of the oldest unread entry, which rises in a full stall too; and from commit to broadcast, where something is broadcast.',
        unit: 's',
        width: 8,
        queries: [
          { expr: 'max(messaging_consumer_oldest_unread_seconds)', legend: 'behind' },
          { expr: quantile(0.95, LAG), legend: 'lag p95' },
          { expr: quantile(0.99, LAG), legend: 'lag p99' },
        ],
      },
      {
        title: 'WebSocket Connections (active, new, closed)',
        description: 'Open now, and opened and closed in the last minute.',
        unit: 'short',
        width: 8,
        queries: [
          { expr: 'sum(transport_connections_active)', legend: 'active' },
          { expr: 'sum(increase(transport_connections_total[1m]))', legend: 'new' },
          { expr: 'sum(increase(transport_connections_closed_total[1m]))', legend: 'closed' },
        ],
      },
    ],
  },
  {
    title: 'Behind it',
    panels: [
      {
        title: 'Outbox Backlog',
        description:
          'Rows that wait, and dead ones. Every dispatcher reports the whole outbox: the maximum counts.',
        unit: 'short',
        width: 6,
        queries: [
          { expr: 'max(messaging_outbox_pending)', legend: 'pending' },
          { expr: 'max(messaging_outbox_dead_rows)', legend: 'dead' },
          { expr: 'max(messaging_outbox_oldest_pending_seconds)', legend: 'oldest (s)' },
        ],
      },
      {
        title: 'Synthetic Message',
        description: 'Of each pod with a consumer: 1 where its synthetic message came back by the fast path.',
        unit: 'short',
        width: 6,
        queries: [
          { expr: 'messaging_path_ok', legend: '{{instance}}' },
          { expr: quantile(0.95, 'messaging_path_seconds'), legend: 'p95 (s)' },
        ],
      },
      {
        title: 'Stream',
        description: 'Unread and pending entries, and the share of REDIS_STREAM_MAXLEN that is unread.',
        unit: 'short',
        width: 6,
        queries: [
          { expr: 'max(messaging_stream_unread)', legend: 'unread' },
          { expr: 'max(messaging_consumer_pel_size)', legend: 'read, not acknowledged' },
          {
            expr: 'max(messaging_stream_unread) / max(messaging_stream_max_length)',
            legend: 'unread of the limit',
          },
        ],
      },
      {
        title: 'Slow Path and Repeats',
        description: 'What the fast path did not bring, and what was dropped because it was there before.',
        unit: 'ops',
        width: 6,
        queries: [
          {
            expr: 'sum by (source) (rate(messaging_hub_gap_fills_total[1m]))',
            legend: 'filled from {{source}}',
          },
          { expr: perSecond('messaging_hub_slow_path_total'), legend: 'head checks that found news' },
          { expr: perSecond('messaging_consumer_dedupe_skips_total'), legend: 'skipped by the consumer' },
          { expr: perSecond('messaging_hub_repeats_total'), legend: 'dropped by feeds' },
        ],
      },
    ],
  },
];

export const panels: readonly PanelSpec[] = rows.flatMap((row) => row.panels);
export const queries: readonly Query[] = panels.flatMap((panel) => panel.queries);
