import { CLOSE_CODES, ERROR_CODES } from '@sanctum/protocol';
import { CONTROLLED_STAGES } from '@sanctum/protocol/admin';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Upper bounds of the histograms' buckets; behind the last one comes +Inf. */
export const LATENCY_BUCKETS_SECONDS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60,
];
const DISPATCH_RESULTS = ['ok', 'empty', 'error', 'paused'] as const;
const CONSUMER_FAILURES = ['fetch_error', 'parse_error', 'broadcast_failed', 'ack_failed'] as const;
export const BACKGROUND_JOBS = ['partitions', 'prune_outbox', 'prune_dlq', 'prune_records'] as const;
const GAP_FILL_SOURCES = ['ring', 'postgres'] as const;

export type Metric = Counter | Gauge | Histogram;
export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Every metric of the service, by name. Series exist at 0 from the start; a stage that is switched off on this pod
 * exports none. No label holds an id.
 */
export function createMetrics(stages: { dispatcher: boolean; consumer: boolean }) {
  const registry = new Registry();
  const hidden = new Registry();
  const dispatching = stages.dispatcher ? registry : hidden;
  const consuming = stages.consumer ? registry : hidden;

  const counter = (name: string, help: string, on = registry) => new Counter({ name, help, registers: [on] });
  const gauge = (name: string, help: string, on = registry) => new Gauge({ name, help, registers: [on] });
  const histogram = (name: string, help: string, on = registry) =>
    new Histogram({ name, help, buckets: LATENCY_BUCKETS_SECONDS, registers: [on] });
  const stageGauge = (name: string, help: string) => {
    const metric = new Gauge({ name, help, labelNames: ['stage'], registers: [registry] });
    for (const stage of CONTROLLED_STAGES) metric.set({ stage }, 0);
    return metric;
  };
  const labelled = <L extends string>(
    name: string,
    help: string,
    label: L,
    values: readonly string[],
    on = registry,
  ) => {
    const metric = new Counter<L>({ name, help, labelNames: [label], registers: [on] });
    for (const value of values) metric.inc({ [label]: value } as Record<L, string>, 0);
    return metric;
  };

  const jobGauge = () => {
    const metric = new Gauge<'task'>({
      name: 'messaging_background_job_last_success_timestamp_seconds',
      help: 'When a background job last succeeded, on whichever pod; 0 until this pod has read it',
      labelNames: ['task'],
      registers: [registry],
    });
    for (const job of BACKGROUND_JOBS) metric.set({ task: job }, 0);
    return metric;
  };

  return {
    registry,

    dispatchTicks: labelled(
      'messaging_dispatch_ticks_total',
      'Rounds of the dispatcher',
      'result',
      DISPATCH_RESULTS,
      dispatching,
    ),
    dispatchTickDurationSeconds: histogram(
      'messaging_dispatch_tick_duration_seconds',
      'Length of a round',
      dispatching,
    ),
    outboxPicked: counter('messaging_outbox_picked_total', 'Rows claimed', dispatching),
    outboxSent: counter('messaging_outbox_sent_total', 'Rows marked sent', dispatching),
    outboxFailed: counter(
      'messaging_outbox_failed_total',
      'Rows that failed for their own sake',
      dispatching,
    ),
    outboxDead: counter('messaging_outbox_dead_total', 'Rows buried', dispatching),
    outboxPending: gauge(
      'messaging_outbox_pending',
      'Rows waiting now, counted up to 1,000,000',
      dispatching,
    ),
    outboxOldestPendingSeconds: gauge(
      'messaging_outbox_oldest_pending_seconds',
      'Age of the oldest waiting row; one that an operator sends again does not count',
      dispatching,
    ),
    outboxDeadRows: gauge(
      'messaging_outbox_dead_rows',
      'Dead rows now, counted up to 1,000,000',
      dispatching,
    ),
    dispatchPublished: counter(
      'messaging_dispatch_published_total',
      'XADDs acknowledged, re-sends included',
      dispatching,
    ),
    dispatchResent: counter(
      'messaging_dispatch_resent_total',
      'XADDs of rows sent again after Redis lost its memory',
      dispatching,
    ),

    consumerFetch: counter('messaging_consumer_fetch_total', 'Stream entries read', consuming),
    consumerDelivered: counter(
      'messaging_consumer_delivered_total',
      'Entries broadcast to their channel, readers or not',
      consuming,
    ),
    consumerAck: counter(
      'messaging_consumer_ack_total',
      'Entries that Redis acknowledged as done',
      consuming,
    ),
    consumerDedupeSkips: counter(
      'messaging_consumer_dedupe_skips_total',
      'Entries that had been broadcast already',
      consuming,
    ),
    consumerFailures: labelled(
      'messaging_consumer_failures_total',
      'Failures of the consumer',
      'reason',
      CONSUMER_FAILURES,
      consuming,
    ),
    consumerLagSeconds: histogram(
      'messaging_consumer_lag_seconds',
      'From commit to broadcast; replays and re-sends left out',
      consuming,
    ),
    consumerOldestUnreadSeconds: gauge(
      'messaging_consumer_oldest_unread_seconds',
      'How far the group is behind the end of the stream',
      consuming,
    ),
    consumerPelSize: gauge('messaging_consumer_pel_size', 'Entries read and not acknowledged', consuming),
    consumerPelReclaimed: counter(
      'messaging_consumer_pel_reclaimed_total',
      'Entries taken over from another consumer',
      consuming,
    ),
    streamLength: gauge(
      'messaging_stream_length',
      'Entries on the stream, read or not; of its longest partition',
      consuming,
    ),
    streamUnread: gauge(
      'messaging_stream_unread',
      'Entries that the group has not read; of the partition with the most',
      consuming,
    ),
    streamMaxLength: gauge('messaging_stream_max_length', 'REDIS_STREAM_MAXLEN', consuming),
    streamTrimmedUnread: counter(
      'messaging_stream_trimmed_unread_total',
      'Entries trimmed before the group read them',
      consuming,
    ),

    hubRepeats: counter('messaging_hub_repeats_total', 'Frames that a feed dropped as repeats'),
    hubGapFills: labelled(
      'messaging_hub_gap_fills_total',
      'Frames that the fast path did not bring',
      'source',
      GAP_FILL_SOURCES,
    ),
    hubSlowPath: counter(
      'messaging_hub_slow_path_total',
      'Conversations whose head check found something new',
    ),
    hubMissing: counter('messaging_hub_missing_total', 'Rows above the floor that the log does not hold'),
    endToEndSeconds: histogram(
      'messaging_end_to_end_seconds',
      'From commit to the acknowledgement of a client that was connected then, by whatever path',
    ),
    clockOffset: gauge(
      'messaging_clock_offset_seconds',
      "How far this pod's clock is ahead of Postgres' (behind: negative); its times are corrected by that",
    ),
    pathOk: gauge('messaging_path_ok', '1: the last synthetic message came back by the fast path', consuming),
    pathSeconds: histogram(
      'messaging_path_seconds',
      'From commit of a synthetic message until it was back',
      consuming,
    ),

    controlPaused: stageGauge('messaging_control_paused', '1: an operator has paused the stage'),
    controlPausedSince: stageGauge(
      'messaging_control_paused_since_timestamp_seconds',
      'When it was paused, in seconds since 1970; 0 while it is not',
    ),
    controlExpires: stageGauge(
      'messaging_control_expires_timestamp_seconds',
      'When the pause ends by itself, in seconds since 1970; 0: not by itself, or there is none',
    ),

    transportConnections: counter('transport_connections_total', 'WebSocket connections opened'),
    transportConnectionsActive: gauge('transport_connections_active', 'WebSocket connections open now'),
    transportConnectionsClosed: labelled(
      'transport_connections_closed_total',
      'WebSocket connections closed, by close code',
      'code',
      [...Object.keys(CLOSE_CODES), 'other'],
    ),
    transportErrors: labelled(
      'transport_errors_total',
      'Error frames and refused upgrades, by code',
      'code',
      ERROR_CODES,
    ),
    transportMessagesSent: counter('transport_messages_sent_total', 'Message frames written to sockets'),
    transportSlowConsumers: counter(
      'transport_slow_consumers_total',
      'Connections that fell behind their socket or credit',
    ),
    transportResumes: counter('transport_resumes_total', 'Connections that came with cursors'),

    backgroundJobLastSuccess: jobGauge(),
    backgroundJobFailures: labelled(
      'messaging_background_job_failures_total',
      'Runs of a background job on this pod that failed',
      'task',
      BACKGROUND_JOBS,
    ),
    outboxDefaultPartitionRows: gauge(
      'messaging_outbox_default_partition_rows',
      'Rows for which there was no partition, counted up to 100,000',
    ),
    outboxPartitionsAheadDays: gauge(
      'messaging_outbox_partitions_ahead_days',
      'Days from now to the end of the newest partition',
    ),

    httpRequests: new Counter({
      name: 'messaging_http_requests_total',
      help: 'HTTP requests answered',
      labelNames: ['route', 'method', 'status'],
      registers: [registry],
    }),
    httpRequestSeconds: histogram('messaging_http_request_seconds', 'Time to answer an HTTP request'),
  };
}
