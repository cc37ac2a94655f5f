import type { PodFigures } from '@sanctum/messaging/operations/pod-figures';

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
    totals: {
      accepted: 0,
      intakeErrors: 0,
      dispatched: 0,
      rowsFailed: 0,
      dispatchErrors: 0,
      published: 0,
      consumed: 0,
      consumerErrors: 0,
      malformed: 0,
      slowPath: 0,
      missing: 0,
      frames: 0,
      slowClosed: 0,
      lag: [],
      endToEnd: [],
    },
    ...change,
  };
}
