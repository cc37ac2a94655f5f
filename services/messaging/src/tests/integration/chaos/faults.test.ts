import { expect, it } from 'vitest';
import { playScenario } from '../../chaos/play-scenario.ts';
import { SCENARIOS } from '../../chaos/scenarios/index.ts';

/*
 * The quickest of the fault runs, on a smaller load, so that each change is held against a real fault. All of them,
 * with what they measure: `pnpm test:chaos`.
 */
const LOAD = { conversations: 4, members: 3, publishers: 8 };
/** Other tests run beside these: what is measured in seconds is not judged here. */
const SETTLE_WITHIN_MS = 60_000;

it.each(['redis-flushall', 'kill-pod-full'])(
  '%s: every promise is kept',
  { timeout: 180_000 },
  async (name) => {
    const scenario = SCENARIOS.find((each) => each.name === name)!;
    const run = await playScenario(
      { ...scenario, load: LOAD },
      { postgres: 18, round: 1, code: 'test', settleWithinMs: SETTLE_WITHIN_MS },
    );
    expect(run).toMatchObject({ violations: {}, failures: [] });
    expect(run.proof).not.toEqual([]);
    expect(run.deliveries).toBeGreaterThan(run.posts);
  },
);
