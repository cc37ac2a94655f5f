import { expect, it } from 'vitest';
import { playScenario } from '../../chaos/play-scenario.ts';
import { promised } from '../../chaos/scenario.ts';
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

it(
  'a promise that is broken meanwhile is a failure of a run that goes on to its end',
  {
    timeout: 180_000,
  },
  async () => {
    const run = await playScenario(
      {
        name: 'broken',
        about: 'nothing happens, and a promise is broken all the same',
        load: { conversations: 1, members: 2, devicesPerMember: 1, publishers: 2 },
        pods: [{ name: 'full', dispatcher: true, consumer: true }],
        fault: async () => ({
          proof: ['it is there'],
          promises: [promised('members went on receiving', false), promised('the pod lives', true)],
          afterwards: () => Promise.reject(new Error('the pod did not start')),
        }),
      },
      { postgres: 18, round: 1, code: 'test', settleWithinMs: SETTLE_WITHIN_MS },
    );
    expect(run).toMatchObject({
      proof: ['it is there'],
      kept: ['the pod lives'],
      failures: ['not kept: members went on receiving', 'not restored: the pod did not start'],
      violations: {},
    });
    expect(run.deliveries).toBeGreaterThan(0);
  },
);
