import type { Report, Wire } from './device/device-messages.ts';

/** Messages that the pane shows; the count goes on. */
const ROWS_MAX = 40;

/** What the server has of the messages that came by, the newest last. */
export interface ServerView {
  readonly rows: readonly ServerRow[];
  /** All that this page has seen, also those that are not shown any more. */
  readonly seen: ReadonlySet<string>;
}

export interface ServerRow {
  readonly wire: Wire;
  /** What it says to who has the key. */
  readonly inside: string;
}

export const NOTHING_SEEN: ServerView = { rows: [], seen: new Set() };

/** Each message once, whichever device it reached first. */
export function addSeen(view: ServerView, reports: readonly Report[]): ServerView {
  const fresh = reports.flatMap((report) => {
    if (report.kind !== 'wire' || view.seen.has(report.wire.messageId)) return [];
    return [{ wire: report.wire, inside: report.inside }];
  });
  if (fresh.length === 0) return view;
  const rows = [...view.rows, ...fresh]
    .sort((one, other) => (one.wire.occurredAt < other.wire.occurredAt ? -1 : 1))
    .slice(-ROWS_MAX);
  return { rows, seen: new Set([...view.seen, ...fresh.map(({ wire }) => wire.messageId)]) };
}
