import { describe, expect, test } from 'vitest';
import { ManualClock } from '../tests/support/manual-clock.ts';
import { LoopWatch } from './loop-watch.ts';
import { ReadinessCheck, type ReadinessInputs } from './readiness.ts';

const WELL: ReadinessInputs = { started: true, draining: false, redisUp: true, stuck: [], pathBroken: false };

function check(
  inputs: Partial<ReadinessInputs>,
  pingPostgres: () => Promise<unknown> = () => Promise.resolve(),
) {
  const clock = new ManualClock();
  const readiness = new ReadinessCheck({ pingPostgres, inputs: () => ({ ...WELL, ...inputs }), clock });
  return { clock, readiness };
}

describe('readiness', () => {
  test.each([
    ['all is well', {}, { ready: true, degraded: [], reasons: [] }],
    ['starting', { started: false }, { ready: false, degraded: [], reasons: ['starting'] }],
    ['draining', { draining: true }, { ready: false, degraded: [], reasons: ['draining'] }],
    ['Redis down', { redisUp: false }, { ready: true, degraded: ['redis_unreachable'], reasons: [] }],
    ['the path broken', { pathBroken: true }, { ready: true, degraded: ['path_broken'], reasons: [] }],
    ['a loop stuck', { stuck: ['consumer'] }, { ready: false, degraded: [], reasons: ['consumer_stuck'] }],
    [
      'a loop that waits for Redis',
      { stuck: ['consumer'], redisUp: false },
      { ready: true, degraded: ['redis_unreachable'], reasons: [] },
    ],
  ] as const)('%s', async (_name, inputs, expected) => {
    expect(await check(inputs).readiness.check()).toEqual(expected);
  });

  test('Postgres that refuses', async () => {
    const { readiness } = check({}, () => Promise.reject(new Error('gone')));
    expect((await readiness.check()).reasons).toEqual(['postgres_unreachable']);
  });

  test('Postgres that says nothing, asked once however many want to know', async () => {
    let asked = 0;
    const { clock, readiness } = check({}, () => {
      asked += 1;
      return new Promise(() => {});
    });
    const answers = Promise.all([readiness.check(), readiness.check()]);
    await clock.advance(1000);
    for (const { reasons } of await answers) expect(reasons).toEqual(['postgres_unreachable']);
    expect(asked).toBe(1);
  });
});

test('a loop is stuck when it has not said anything for 15 s', async () => {
  const clock = new ManualClock();
  const loops = new LoopWatch(clock);
  const sign = loops.watch('dispatcher');
  await clock.advance(15_000);
  expect(loops.stuck()).toEqual([]);
  await clock.advance(1);
  expect(loops.stuck()).toEqual(['dispatcher']);
  sign();
  expect(loops.stuck()).toEqual([]);
});
