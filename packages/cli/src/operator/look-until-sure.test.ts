import type { Pipeline, Stage } from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';
import { lookUntilSure } from './look-until-sure.ts';

const WELL: Stage = {
  name: 'dispatcher',
  health: 'ok',
  cause: null,
  rate: 1,
  error_rate: 0,
  lag_seconds: 0,
  backlog: 0,
  pods: 1,
  pods_alive: 1,
};
const QUIET: Stage = { ...WELL, health: 'down', cause: 'none is dispatched', rate: 0 };

/** What is shown of these, one after another, and how often it paused. */
async function shown(looks: Stage[], timeFor = 99): Promise<{ stage: Stage; pauses: number }> {
  let [asked, pauses] = [0, 0];
  const look = async () => ({ stages: [looks[Math.min(asked++, looks.length - 1)]!] }) as Pipeline;
  const pause = async () => {
    pauses += 1;
    return pauses <= timeFor;
  };
  const { stages } = await lookUntilSure(look, pause);
  return { stage: stages[0]!, pauses };
}

test('what is well, or idle and well, is shown at once', async () => {
  expect(await shown([WELL])).toEqual({ stage: WELL, pauses: 0 });
  const idle = { ...WELL, rate: 0 };
  expect(await shown([idle])).toEqual({ stage: idle, pauses: 0 });
});

test('a stage that was quiet for a moment is not called down', async () => {
  expect(await shown([QUIET, QUIET, WELL])).toEqual({ stage: WELL, pauses: 2 });
});

test('one that stays quiet for longer than an idle one does is down', async () => {
  const { stage, pauses } = await shown([QUIET]);
  expect(stage).toEqual(QUIET);
  expect(pauses * 1.5).toBeGreaterThanOrEqual(6);
});

test.each<[string, Partial<Stage>]>([
  ['its pods are gone', { pods: 0 }],
  ['it works, and fails', { rate: 2 }],
  ['its server refuses writes', { name: 'stream' }],
])('what is down by more than its rate is shown at once: %s', async (_, change) => {
  const down = { ...QUIET, ...change };
  expect(await shown([down])).toEqual({ stage: down, pauses: 0 });
});

test('Ctrl-C shows what is known', async () => {
  expect(await shown([QUIET, WELL], 0)).toEqual({ stage: QUIET, pauses: 1 });
});
