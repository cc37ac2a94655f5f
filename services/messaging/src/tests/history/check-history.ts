import type { FinalState } from './final-state.ts';
import { Follower } from './follow.ts';
import type { HistoryEvent } from './history.ts';
import type { CheckName, CheckOptions, Violation } from './judge.ts';
import { JUDGES } from './judges/index.ts';
import { Panel } from './panel.ts';
import { Run } from './run.ts';

export type { CheckName, CheckOptions, Violation } from './judge.ts';

export const CHECK_DEFAULTS: CheckOptions = { settleWithinMs: 10_000, replayWithinMs: 5000 };

export interface CheckedCounts {
  readonly events: number;
  readonly deliveries: number;
  readonly posts: number;
  readonly conversations: number;
  readonly connections: number;
  readonly faults: number;
  /** By check; those without any are left out. Of each check the first 50 are in `violations`. */
  readonly violations: Readonly<Partial<Record<CheckName, number>>>;
}

export interface CheckedHistory {
  readonly violations: readonly Violation[];
  readonly counts: CheckedCounts;
  /** The history has its `end`: heads, settling and replays were judged too. */
  readonly ended: boolean;
}

/**
 * Judges a whole run: a history, in the order of its times, and the log that the run left. Pure; O(1) an event and
 * once over the final rows; memory grows with messages, connections and their conversations, not with deliveries.
 * @throws Error where the history contradicts itself, which no server can bring about
 */
export function checkHistory(
  events: Iterable<HistoryEvent>,
  final: FinalState,
  options: Partial<CheckOptions> = {},
): CheckedHistory {
  const run = new Run();
  const panel = new Panel(JUDGES, run, { ...CHECK_DEFAULTS, ...options });
  const follower = new Follower(run, panel);
  for (const event of events) follower.follow(event);
  follower.finish(final);
  return {
    violations: panel.violations,
    ended: run.endedAt !== undefined,
    counts: {
      events: run.events,
      deliveries: run.deliveries,
      posts: run.posts.size,
      conversations: run.conversations.size,
      connections: run.connections.size,
      faults: run.faults.length,
      violations: Object.fromEntries(panel.counts),
    },
  };
}
