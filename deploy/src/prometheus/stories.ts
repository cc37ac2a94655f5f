import { busy, dispatched, idle, laggingIn, moving, quiet, SCRAPE_SECONDS, type Span } from './pod-series.ts';

/** What pods live through, and what fires meanwhile. */
export interface Story {
  readonly pods: Readonly<Record<string, readonly Span[]>>;
  /** Moment → all alerts that fire. */
  readonly firing: Readonly<Record<string, readonly string[]>>;
  readonly asWritten?: Readonly<Record<string, readonly string[]>>;
  /** Hours long: scraped and looked at more rarely. */
  readonly isLong?: true;
  /** Stored by Prometheus 3; else by one before it. */
  readonly hasFloatBounds?: true;
}

const gone = (minutes: number): Span => ({ minutes, state: 'gone' });
const during = (minutes: number, state: Span['state'], more: Partial<Span> = {}): Span => ({
  minutes,
  state,
  ...more,
});
const SILENT: readonly string[] = [];
const lagging = ['ConsumerHighLag', 'ConsumerLagP95AboveTarget', 'ConsumerLagP99AboveTarget'];

/** Nothing is read any more; the dispatcher goes on. */
const stalled = (scrape: number) => ({
  ...quiet,
  picked: 50,
  sent: 50,
  published: 50,
  pathOk: 0,
  oldestUnread: SCRAPE_SECONDS * (scrape + 1),
  unread: 50 * scrape,
});

/** Nothing leaves the outbox any more: the first synthetic message that stays is waited on for longer and longer. */
const undispatched = (scrape: number) => ({
  ...quiet,
  ticksEmpty: 0,
  pathOk: 0,
  oldestPending: SCRAPE_SECONDS * (scrape + 1),
});

export const stories: Readonly<Record<string, Story>> = {
  'an idle night': {
    pods: { a: [during(30, idle)], b: [during(30, idle)] },
    firing: { '5m': SILENT, '15m': SILENT, '30m': SILENT },
  },
  'busy hours': {
    pods: { a: [during(30, busy)], b: [during(30, busy)] },
    firing: { '5m': SILENT, '15m': SILENT, '30m': SILENT },
  },
  'phase 1: a dispatcher and no consumer yet': {
    pods: {
      a: [during(30, busy, { stages: 'dispatcher' })],
      b: [during(30, busy, { stages: 'dispatcher' })],
    },
    firing: { '5m': SILENT, '15m': SILENT, '30m': SILENT },
  },
  "phase 2 begins with phase 1's backlog: the lag fires until it is drained": {
    pods: {
      a: [
        during(30, busy, { stages: 'dispatcher' }),
        during(10, (scrape) => ({
          ...moving(500),
          ...laggingIn('withinAny', 500),
          oldestUnread: 1800 - 45 * scrape,
          unread: 6000 - 150 * scrape,
        })),
        during(30, busy),
      ],
    },
    firing: { '29m': SILENT, '39m': lagging, '55m': SILENT, '69m': SILENT },
  },
  'a rolling restart: each pod is gone for half a minute, and comes back under another name': {
    pods: {
      a: [during(20, busy), gone(10)],
      b: [during(21, busy), gone(9)],
      c: [gone(20.5), during(9.5, busy)],
      d: [gone(21.5), during(8.5, busy)],
    },
    firing: {
      '20m30s': SILENT,
      '21m': SILENT,
      '21m45s': SILENT,
      '23m': SILENT,
      '25m': SILENT,
      '30m': SILENT,
    },
  },
  'the only pod is restarted, and takes a minute': {
    pods: { a: [during(20, idle), gone(10)], b: [gone(21), during(9, idle)] },
    firing: { '21m': SILENT, '22m': SILENT, '23m30s': SILENT, '26m': SILENT },
  },
  'one quiet pod among busy ones': {
    pods: { a: [during(30, busy)], b: [during(30, { ...quiet, ticksEmpty: 150 })] },
    firing: { '10m': SILENT, '20m': SILENT, '30m': SILENT },
    asWritten: { '20m': ['RealtimePipelineDown'] },
  },
  'counters begin anew at 0': {
    pods: { a: [during(20, busy), during(20, busy, { restarted: true })] },
    firing: { '20m30s': SILENT, '22m': SILENT, '24m': SILENT, '30m': SILENT },
  },
  "an operator's replay of old messages": {
    pods: {
      a: [
        during(20, busy),
        // Replays are delivered, and left out of the lag.
        during(6, {
          ...moving(50),
          picked: 550,
          sent: 550,
          published: 550,
          fetch: 550,
          delivered: 550,
          acked: 550,
        }),
        during(20, busy),
      ],
    },
    firing: { '22m': SILENT, '25m': SILENT, '30m': SILENT, '40m': SILENT },
  },
  'all consumers are gone, told from phase 1 by series there within the last hour': {
    pods: {
      a: [during(20, busy, { stages: 'consumer' }), gone(70)],
      b: [during(20, busy, { stages: 'consumer' }), gone(70)],
      c: [during(90, busy, { stages: 'dispatcher' })],
    },
    firing: {
      '22m': SILENT,
      '24m': ['RealtimePipelineDown'],
      '78m': ['RealtimePipelineDown'],
      '82m': SILENT,
    },
    asWritten: { '24m': SILENT, '60m': SILENT },
  },
  'a full stall: nothing is read any more': {
    pods: { a: [during(20, busy), during(15, stalled)], b: [during(20, busy), during(15, stalled)] },
    firing: {
      '21m30s': SILENT,
      '23m': ['MessagingPathBroken'],
      '27m': ['ConsumerHighLag', 'MessagingPathBroken', 'RealtimePipelineDown'],
    },
    // Nothing is broadcast, so no lag is observed.
    asWritten: { '27m': ['RealtimePipelineDown'] },
  },
  'half of the entries fail': {
    pods: {
      a: [during(20, busy), during(10, { ...moving(25), fetch: 50, parseErrors: 25 })],
      b: [during(20, busy), during(10, { ...moving(25), fetch: 50, parseErrors: 25 })],
    },
    firing: { '20m': SILENT, '26m': ['ConsumerHighFailureRate'] },
    asWritten: { '26m': SILENT },
  },
  'Redis refuses every read': {
    pods: { a: [during(20, idle), during(10, { ...quiet, pathOk: 0, fetchErrors: 15, ticksEmpty: 10 })] },
    firing: { '26m': ['ConsumerHighFailureRate', 'MessagingPathBroken', 'RealtimePipelineDown'] },
  },
  'one failed read in an idle night': {
    pods: { a: [during(20, idle), during(0.25, { ...idle, fetchErrors: 1 }), during(20, idle)] },
    firing: { '21m': SILENT, '22m': SILENT, '23m': SILENT, '23m30s': SILENT, '24m': SILENT },
  },
  'a lag of 7 s': {
    pods: { a: [during(20, busy), during(15, { ...busy, ...laggingIn('within10', 50) })] },
    firing: { '33m': ['ConsumerLagP95AboveTarget'] },
  },
  'a lag of 15 s': {
    pods: { a: [during(20, busy), during(15, { ...busy, ...laggingIn('within20', 50) })] },
    firing: { '33m': lagging },
    asWritten: { '33m': ['ConsumerHighLag'] },
  },
  'duplicates, spread over ten pods': {
    pods: Object.fromEntries(
      Array.from({ length: 10 }, (_, pod) => [`p${pod}`, [during(40, { ...busy, dedupe: 40 })]]),
    ),
    firing: { '8m': SILENT, '20m': ['ConsumerDedupeHigh'] },
    asWritten: { '20m': SILENT },
  },
  'duplicates for five minutes, after Redis failed over': {
    pods: { a: [during(20, busy), during(5, { ...busy, dedupe: 400 }), during(20, busy)] },
    firing: { '24m': SILENT, '30m': SILENT, '35m': SILENT },
  },
  'no dispatcher is left': {
    pods: {
      a: [during(20, busy, { stages: 'dispatcher' }), gone(15)],
      b: [
        during(20, busy, { stages: 'consumer' }),
        during(15, { ...quiet, pathOk: 0 }, { stages: 'consumer' }),
      ],
    },
    firing: { '21m': SILENT, '27m': ['DispatcherDown', 'MessagingPathBroken', 'RealtimePipelineDown'] },
  },
  'Redis is gone, and comes back': {
    pods: {
      a: [
        during(20, idle),
        // A dispatcher that rests claims nothing; it looks at Redis now and then, and each look is a failure.
        during(10, (scrape) => ({
          ...undispatched(scrape),
          ticksError: 20,
          fetchErrors: 15,
        })),
        // A synthetic message for each 5 s, all at once.
        during(0.25, {
          ...idle,
          ...dispatched(120),
          fetch: 120,
          delivered: 120,
          ...laggingIn('withinAny', 120),
        }),
        during(9.75, idle),
      ],
    },
    firing: {
      '20m30s': SILENT,
      '23m': ['MessagingPathBroken'],
      '27m': [
        'ConsumerHighFailureRate',
        'DispatcherDown',
        'MessagingPathBroken',
        'OutboxOldestPendingRow',
        'RealtimePipelineDown',
      ],
      '34m': SILENT,
      '36m': SILENT,
      '39m': SILENT,
    },
  },
  'Redis takes no writes any more: dispatchers run, and every round fails': {
    pods: {
      a: [
        during(20, idle),
        // It answers a ping, so rows are claimed, and left as they were.
        during(15, (scrape) => ({ ...undispatched(scrape), ticksError: 20, picked: 20 })),
      ],
    },
    firing: {
      '27m': [
        'DispatcherDown',
        'MessagingPathBroken',
        'OutboxOldestPendingRow',
        'OutboxSentRatioLow',
        'RealtimePipelineDown',
      ],
    },
  },
  'PostgreSQL is gone: nobody can tell how long rows have waited': {
    pods: { a: [during(20, idle), during(15, { ...quiet, pathOk: 0, ticksEmpty: 0, ticksError: 20 })] },
    firing: { '27m': ['DispatcherDown', 'MessagingPathBroken', 'RealtimePipelineDown'] },
  },
  'an operator has paused the dispatcher': {
    pods: {
      a: [during(20, idle), during(15, (scrape) => ({ ...undispatched(scrape), ticksPaused: 150 }))],
    },
    firing: {
      '23m': ['MessagingPathBroken'],
      '27m': ['MessagingPathBroken', 'OutboxOldestPendingRow', 'RealtimePipelineDown'],
    },
  },
  'an operator has paused the consumer': {
    pods: { a: [during(20, busy), during(15, stalled)] },
    firing: {
      '23m': ['MessagingPathBroken'],
      '27m': ['ConsumerHighLag', 'MessagingPathBroken', 'RealtimePipelineDown'],
    },
  },
  'an operator has forgotten to resume the dispatcher': {
    pods: {
      a: [
        during(20, idle),
        during(40, (scrape) => ({
          ...undispatched(scrape),
          ticksPaused: 150,
          paused: 1,
          pausedSince: 20 * 60,
        })),
        during(10, idle),
      ],
    },
    firing: {
      '27m': ['MessagingPathBroken', 'OutboxOldestPendingRow', 'RealtimePipelineDown'],
      '52m': [
        'ControlPauseForgotten',
        'MessagingPathBroken',
        'OutboxOldestPendingRow',
        'RealtimePipelineDown',
      ],
      '65m': SILENT,
    },
  },
  'an operator has paused the dispatcher for an hour': {
    pods: {
      a: [
        during(5, idle),
        during(40, { ...idle, ticksPaused: 150, paused: 1, pausedSince: 5 * 60, pauseEnds: 65 * 60 }),
      ],
    },
    firing: { '40m': SILENT },
  },
  'the clock of one pod runs behind, and is set right': {
    pods: {
      a: [during(50, busy)],
      b: [during(20, busy), during(15, { ...busy, clockOffset: -3 }), during(15, busy)],
    },
    firing: { '28m': SILENT, '33m': ['PodClockOff'], '40m': SILENT },
  },
  'a clock is a second ahead, and another one is stepped': {
    pods: {
      a: [during(40, { ...busy, clockOffset: 1 })],
      b: [during(20, busy), during(5, { ...busy, clockOffset: 30 }), during(15, busy)],
    },
    firing: { '24m': SILENT, '39m': SILENT },
  },
  'rows wait': {
    pods: { a: [during(20, busy), during(15, { ...busy, oldestPending: 45 })] },
    firing: { '23m': SILENT, '30m': ['OutboxOldestPendingRow'] },
  },
  'one row in ten is picked in vain': {
    pods: { a: [during(20, busy), during(30, { ...busy, picked: 56 })] },
    firing: { '20m': SILENT, '45m': ['OutboxSentRatioLow'] },
  },
  'a row is buried': {
    pods: { a: [during(20, busy), during(0.25, { ...busy, dead: 1 }), during(20, { ...busy, deadRows: 1 })] },
    firing: { '20m': SILENT, '25m': ['OutboxDeadRows'], '39m': ['OutboxDeadRows'] },
  },
  'one pod is cut off from the channels': {
    pods: { a: [during(40, busy)], b: [during(20, busy), during(20, { ...busy, pathOk: 0 })] },
    firing: { '25m': SILENT, '33m': ['MessagingPathBrokenOnPod'] },
  },
  'the stream is nearly full, and unread': {
    pods: { a: [during(20, busy), during(10, { ...busy, unread: 850_000 })] },
    firing: { '20m': SILENT, '23m': ['StreamNearlyFullUnread'] },
  },
  'entries are trimmed unread': {
    pods: { a: [during(20, busy), during(0.25, { ...busy, trimmed: 70 }), during(30, busy)] },
    firing: { '20m': SILENT, '23m': ['StreamTrimmedUnread'], '45m': SILENT },
  },
  'the log lacks a row': {
    pods: { a: [during(20, idle), during(0.25, { ...idle, missing: 1 }), during(30, idle)] },
    firing: { '20m': SILENT, '23m': ['RowsMissingFromLog'], '45m': SILENT },
  },
  'rows came for which there was no partition': {
    pods: { a: [during(20, idle), during(20, { ...idle, defaultRows: 3 })] },
    firing: { '30m': SILENT, '38m': ['OutboxDefaultPartitionNotEmpty'] },
  },
  'partitions run out': {
    pods: { a: [during(20, idle), during(20, { ...idle, daysAhead: 1.5 })] },
    firing: { '30m': SILENT, '38m': ['OutboxPartitionsRunningOut'] },
  },
  'a background job fails once, and then again and again': {
    pods: {
      a: [
        during(20, idle),
        during(0.25, { ...idle, jobFailures: 1 }),
        during(20, idle),
        during(1, { ...idle, jobFailures: 1 }),
        during(10, idle),
      ],
    },
    firing: { '30m': SILENT, '48m': ['BackgroundJobFailing'] },
  },
  'a background job has not succeeded for hours': {
    isLong: true,
    pods: { a: [during(60, idle), during(240, { ...idle, jobIsWell: 0 })] },
    firing: { '60m': SILENT, '230m': SILENT, '270m': ['BackgroundJobStale'] },
  },
  'an idle night, all of it': {
    isLong: true,
    pods: { a: [during(480, idle)], b: [during(480, idle)] },
    firing: { '60m': SILENT, '480m': SILENT },
  },
  'every second POST is refused': {
    isLong: true,
    pods: { a: [during(60, busy), during(60, { ...busy, accepted: 25, refused: 25 })] },
    firing: { '60m': SILENT, '90m': ['ErrorSloFastBurn', 'ErrorSloSlowBurn'] },
  },
  'one POST in thirty is refused for hours': {
    isLong: true,
    pods: { a: [during(420, { ...busy, accepted: 145, refused: 5 })] },
    firing: { '300m': SILENT },
  },
  'one POST in ten is refused for hours': {
    isLong: true,
    pods: { a: [during(420, { ...busy, accepted: 135, refused: 15 })] },
    firing: { '400m': ['ErrorSloSlowBurn'] },
  },
  'a single POST is refused in an idle night': {
    isLong: true,
    pods: { a: [during(60, idle), during(2, { ...idle, refused: 1 }), during(30, idle)] },
    firing: { '61m': SILENT, '64m': SILENT, '80m': SILENT },
  },
  'clients hear of nearly nothing within 2 s': {
    isLong: true,
    pods: { a: [during(60, busy), during(90, { ...busy, heardWithin2: 0 })] },
    firing: { '60m': SILENT, '120m': ['LatencySloFastBurn', 'LatencySloSlowBurn'] },
  },
  'clients hear of nearly nothing within 2 s, and Prometheus 3 looks on': {
    isLong: true,
    hasFloatBounds: true,
    pods: { a: [during(60, busy), during(90, { ...busy, heardWithin2: 0 })] },
    firing: { '60m': SILENT, '120m': ['LatencySloFastBurn', 'LatencySloSlowBurn'] },
  },
  'one slow phone in an idle night': {
    isLong: true,
    pods: { a: [during(60, idle), during(60, { ...idle, heard: 0.25, heardWithin2: 0 })] },
    firing: { '90m': SILENT, '120m': SILENT },
  },
};
