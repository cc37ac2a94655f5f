import type { HistoryEvent } from '../history/history.ts';

const SECOND_MS = 1000;
/** No two tries of a run are nearer than 100 ms, whatever was drawn: see the client's `fullJitterMs`. */
export const CONNECTS_A_SECOND_MAX = 10;

export interface ConnectCounts {
  readonly tries: number;
  /** Of any device, over the processes that it lived in, in any second. */
  readonly mostInASecond: number;
}

/** How often devices connected, those of killed processes among them: what they did is in their histories. */
export function countConnects(events: Iterable<HistoryEvent>): ConnectCounts {
  const recent = new Map<string, number[]>();
  let tries = 0;
  let mostInASecond = 0;
  for (const event of events) {
    if (event.type !== 'connect') continue;
    tries++;
    const times = (recent.get(event.client) ?? []).filter((at) => at > event.at - SECOND_MS);
    recent.set(event.client, [...times, event.at]);
    mostInASecond = Math.max(mostInASecond, times.length + 1);
  }
  return { tries, mostInASecond };
}
