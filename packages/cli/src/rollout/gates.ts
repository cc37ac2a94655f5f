import type { Phase } from './steps.ts';

/** One thing that has to hold before a phase goes on, asked of Prometheus over all pods. */
export interface Gate {
  readonly name: string;
  /** PromQL with one value. `$W`: since the watch began. `$M`: further label matchers. */
  readonly query: string;
  readonly min?: number;
  readonly max?: number;
  /** As `max`, and not reached. */
  readonly below?: number;
  /** Broken once is broken: not waited for until the end of the watch. */
  readonly atOnce?: true;
  /** What it means when it does not hold, or what to look at. */
  readonly hint: string;
}

/*
 * The runbook's lists, with what they leave open stated: increases since the watch began instead of totals since
 * some start; "≈" is a ratio between 0.99 and 1.05, since repeats after a crash count on the left side only and a
 * scrape catches the two counters at different moments; "error rate" is, of the rows picked, those that failed for
 * their own sake, and of the API calls, those answered with 5xx. A denominator of nothing counts as one, so that
 * nothing of nothing is no error; that there was something is a gate of its own.
 */

const grown = (metric: string, matchers = ''): string => `sum(increase(${metric}{${matchers}$M}[$W]))`;
/** A label that nothing has yet is nothing, and no missing value. */
const orNone = (query: string): string => `(${query} or vector(0))`;
const ratio = (part: string, whole: string): string => `${part} / clamp_min(${whole}, 1)`;
const RATE_BELOW = 0.01;
const ABOUT = { min: 0.99, max: 1.05 } as const;

/** More than nothing; Prometheus extrapolates, so one message may count as a little less. */
const SOME = 0.5;

/** Probes are no calls: a pod that drains answers them with 503, and thousands of good ones would hide what fails. */
const API_CALLS = 'route=~"/v1/.*",';

const API_ERRORS: Gate = {
  name: 'API calls answered with 5xx',
  query: ratio(
    orNone(grown('messaging_http_requests_total', `${API_CALLS}status=~"5..",`)),
    grown('messaging_http_requests_total', API_CALLS),
  ),
  below: RATE_BELOW,
  atOnce: true,
  hint: 'kubectl logs -l app=messaging --tail=500',
};

export const GATES: Readonly<Record<Phase, readonly Gate[]>> = {
  1: [
    {
      name: 'messages sent to the stream',
      query: grown('messaging_outbox_sent_total'),
      min: SOME,
      hint: 'no traffic, or no dispatcher: kubectl logs -l app=messaging --tail=500 | grep dispatcher_tick_error',
    },
    {
      name: 'published ≈ sent',
      query: ratio(
        `(${grown('messaging_dispatch_published_total')} - ${grown('messaging_dispatch_resent_total')})`,
        grown('messaging_outbox_sent_total'),
      ),
      ...ABOUT,
      hint: 'batches are appended and not marked, or the other way round: look for dispatcher_tick_error',
    },
    {
      name: 'rows given up as dead',
      query: grown('messaging_outbox_dead_total'),
      max: 0,
      atOnce: true,
      hint: "see the runbook's chapter Dead Rows",
    },
    {
      name: 'rows that failed, of those picked',
      query: ratio(grown('messaging_outbox_failed_total'), grown('messaging_outbox_picked_total')),
      below: RATE_BELOW,
      atOnce: true,
      hint: 'kubectl logs -l app=messaging --tail=500 | grep dispatcher_',
    },
    API_ERRORS,
  ],
  2: [
    {
      name: 'entries delivered',
      query: grown('messaging_consumer_delivered_total'),
      min: SOME,
      hint: 'kubectl logs -l app=messaging --tail=100 | grep consumer',
    },
    {
      name: 'acknowledged ≈ delivered',
      query: ratio(grown('messaging_consumer_ack_total'), grown('messaging_consumer_delivered_total')),
      ...ABOUT,
      hint: 'redis-cli XPENDING sanctum:messages messaging-hub',
    },
    {
      name: 'lag p95, seconds',
      query:
        'histogram_quantile(0.95, sum by (le) (increase(messaging_consumer_lag_seconds_bucket{$M}[$W])))',
      below: 5,
      atOnce: true,
      hint: "see the runbook's chapter High Consumer Lag",
    },
    {
      name: 'failures, of entries delivered',
      query: ratio(grown('messaging_consumer_failures_total'), grown('messaging_consumer_delivered_total')),
      below: RATE_BELOW,
      atOnce: true,
      hint: "see the runbook's chapter Consumer Failures Spiking",
    },
    {
      name: 'message frames written to clients',
      query: grown('transport_messages_sent_total'),
      min: SOME,
      hint: 'is a client connected that is a member of anything?',
    },
    {
      name: 'synthetic messages come back (messaging_path_ok)',
      query: 'min(messaging_path_ok{$M})',
      min: 1,
      hint: 'the fast path is broken at the pod where it is 0',
    },
    API_ERRORS,
  ],
};

/** Phase 2 begins with phase 1's backlog, and its watch only when this has fallen below 5 seconds. */
export const BACKLOG: Gate = {
  name: 'oldest unread entry, seconds',
  query: 'max(messaging_consumer_oldest_unread_seconds{$M})',
  below: 5,
  hint: "see the runbook's chapter High Consumer Lag",
};

export interface Verdict {
  readonly gate: string;
  /** `null`: Prometheus has nothing to say. */
  readonly value: number | null;
  readonly allowed: string;
  readonly ok: boolean;
  readonly hint: string;
  readonly query: string;
}

export function queryOf(gate: Gate, options: { readonly windowMs: number; readonly match: string }): string {
  return gate.query
    .replaceAll('$W', `${Math.ceil(options.windowMs / 1000)}s`)
    .replaceAll('$M', options.match)
    .replaceAll(',}', '}')
    .replaceAll('{}', '');
}

/** No value is no proof, so it does not pass. */
export function judge(gate: Gate, value: number | null, query: string): Verdict {
  const { name, min = -Infinity, max = Infinity, below = Infinity, hint } = gate;
  const ok = value !== null && value >= min && value <= max && value < below;
  return { gate: name, value, allowed: allowedBy(gate), ok, hint, query };
}

/** In words. */
export function allowedBy({ min, max, below }: Gate): string {
  if (min === SOME) return 'more than 0';
  if (below !== undefined) return `below ${below}`;
  if (min === undefined) return `at most ${max}`;
  return max === undefined ? `at least ${min}` : `${min} … ${max}`;
}
