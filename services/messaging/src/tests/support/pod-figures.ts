import { NO_RATES } from '../../operations/fleet.ts';
import type { PodFigures } from '../../operations/pod-figures.ts';

/** What an idle pod says of itself. */
export function podFigures(change: Partial<PodFigures> = {}): PodFigures {
  return {
    v: 1,
    instance: change.name ?? 'one',
    name: 'one',
    version: '1',
    startedAt: 0,
    at: 0,
    epoch: 1,
    state: 'ready',
    reasons: [],
    dispatcher: true,
    consumer: true,
    paused: [],
    busHeard: true,
    connections: 0,
    slowConnections: 0,
    conversations: 0,
    oldestUnreadSeconds: 0,
    pending: 0,
    totals: { ...NO_RATES, lag: [], endToEnd: [] },
    ...change,
  };
}
