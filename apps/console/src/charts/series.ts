import type { HistoryPoint } from '@sanctum/protocol/admin';
import { countText, durationText, millisecondsText, NOTHING, rateText } from '../format.ts';

/** One line of a chart. Lines differ by dashes as well as by colour (`--line-1` …). */
export interface Line {
  readonly label: string;
  readonly value: (point: HistoryPoint) => number | null;
}

export interface ChartSpec {
  readonly name: string;
  readonly lines: readonly Line[];
  readonly text: (value: number | null | undefined) => string;
  /** The scale reaches at least this high, so that noise near nothing does not look like a storm. */
  readonly highMin: number;
}

function perSecond(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : `${rateText(value)}/s`;
}

export const THROUGHPUT: ChartSpec = {
  name: 'Throughput, messages a second',
  text: perSecond,
  highMin: 4,
  lines: [
    { label: 'accepted', value: (point) => point.accepted },
    { label: 'dispatched', value: (point) => point.dispatched },
    { label: 'consumed', value: (point) => point.consumed },
    { label: 'delivered (frames)', value: (point) => point.delivered },
  ],
};

export const LATENCY: ChartSpec = {
  name: 'Latency',
  text: millisecondsText,
  highMin: 20,
  lines: [
    { label: 'broadcast p50', value: (point) => point.lag_p50_ms },
    { label: 'broadcast p95', value: (point) => point.lag_p95_ms },
    { label: 'client p50', value: (point) => point.end_to_end_p50_ms },
    { label: 'client p95', value: (point) => point.end_to_end_p95_ms },
  ],
};

export const ERRORS: ChartSpec = {
  name: 'Errors a second',
  text: perSecond,
  highMin: 4,
  lines: [{ label: 'errors', value: (point) => point.errors }],
};

export const BACKLOG: ChartSpec = {
  name: 'Outbox rows that wait',
  text: countText,
  highMin: 4,
  lines: [{ label: 'pending rows', value: (point) => point.pending }],
};

export const BEHIND: ChartSpec = {
  name: 'Consumer behind the stream’s end',
  text: durationText,
  highMin: 2,
  lines: [{ label: 'oldest unread', value: (point) => point.oldest_unread_seconds }],
};

export const CONNECTIONS: ChartSpec = {
  name: 'Connections',
  text: countText,
  highMin: 4,
  lines: [{ label: 'open', value: (point) => point.connections }],
};
