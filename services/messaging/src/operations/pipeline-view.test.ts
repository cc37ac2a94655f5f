import { describe, expect, test } from 'vitest';
import type { KnownPod } from './fleet.ts';
import { Fleet, NO_RATES } from './fleet.ts';
import { ManualClock } from '../tests/support/manual-clock.ts';
import { podFigures } from '../tests/support/pod-figures.ts';
import { type PipelineInputs, viewStages } from './pipeline-view.ts';
import type { PodFigures } from './pod-figures.ts';

const TOTALS = { ...NO_RATES, lag: [0, 0], endToEnd: [0, 0] };

function pod(change: Partial<PodFigures> = {}, isGone = false): KnownPod {
  const figures = podFigures({ connections: 100, conversations: 1, totals: TOTALS, ...change });
  return { figures, silentMs: 0, isGone };
}

const OUTBOX = { pending: 0, oldestPendingSeconds: 0, deadRows: 0 };
const STREAM = {
  length: 1,
  maxLength: 400,
  fullest: 0.01,
  pending: 0,
  oldestUnreadSeconds: 0,
  refuses: undefined,
};
const WELL: PipelineInputs = {
  pods: [pod()],
  rates: { ...TOTALS, dispatched: 1, published: 1, consumed: 1 },
  outbox: OUTBOX,
  stream: STREAM,
  paused: [],
};

function healths(change: Partial<PipelineInputs>): Record<string, string> {
  return Object.fromEntries(viewStages({ ...WELL, ...change }).map(({ name, health }) => [name, health]));
}

const ALL_OK = Object.fromEntries(viewStages(WELL).map(({ name }) => [name, 'ok']));
const IDLE = { ...TOTALS };

describe('what is red', () => {
  test.each<[string, Partial<PipelineInputs>, Record<string, string>]>([
    ['nothing', {}, {}],
    [
      'PostgreSQL gone',
      { outbox: undefined },
      { outbox: 'down', intake: 'degraded', dispatcher: 'degraded' },
    ],
    [
      'Redis gone',
      { stream: undefined, pods: [pod({ reasons: ['redis_unreachable'] })] },
      { stream: 'down', dispatcher: 'degraded', consumer: 'degraded', hub: 'degraded' },
    ],
    [
      'Redis full',
      { stream: { ...STREAM, refuses: 'OOM' } },
      { stream: 'down', dispatcher: 'degraded', consumer: 'degraded' },
    ],
    [
      'one partition of four nearly full, and unread',
      { stream: { ...STREAM, length: 90, fullest: 0.9, oldestUnreadSeconds: 60 } },
      { stream: 'degraded', consumer: 'degraded' },
    ],
    ['rounds that fail', { rates: { ...IDLE, dispatchErrors: 1, consumed: 1 } }, { dispatcher: 'down' }],
    [
      'rows that nobody takes',
      { rates: { ...IDLE, consumed: 1 }, outbox: { ...OUTBOX, oldestPendingSeconds: 60, pending: 9 } },
      { dispatcher: 'down' },
    ],
    ['broadcasts that fail', { rates: { ...IDLE, dispatched: 1, consumerErrors: 1 } }, { consumer: 'down' }],
    [
      'entries that nobody reads',
      { rates: { ...IDLE, dispatched: 1 }, stream: { ...STREAM, oldestUnreadSeconds: 60 } },
      { consumer: 'down' },
    ],
    [
      'the consumers gone',
      { pods: [pod({ consumer: false }), pod({ name: 'two' }, true)] },
      { consumer: 'down' },
    ],
    ['no consumer, by its flag', { pods: [pod({ consumer: false })] }, { consumer: 'off' }],
    ['a stuck loop', { pods: [pod({ reasons: ['dispatcher_stuck'] })] }, { dispatcher: 'down' }],
    [
      'a stuck loop on one of two pods',
      { pods: [pod(), pod({ name: 'two', reasons: ['consumer_stuck'] })] },
      { consumer: 'degraded' },
    ],
    ['no subscriptions', { pods: [pod({ busHeard: false })] }, { hub: 'down' }],
    ['a row missing from the log', { rates: { ...WELL.rates, missing: 1 } }, { hub: 'down' }],
    ['most connections slow', { pods: [pod({ slowConnections: 60 })] }, { clients: 'down' }],
    ['a few connections slow', { pods: [pod({ slowConnections: 3 })] }, { clients: 'degraded' }],
    ['dead rows', { outbox: { ...OUTBOX, deadRows: 2 } }, { outbox: 'degraded' }],
    ['POSTs that fail', { rates: { ...WELL.rates, intakeErrors: 1 } }, { intake: 'down' }],
    ['malformed entries', { rates: { ...WELL.rates, malformed: 1 } }, { consumer: 'degraded' }],
    [
      'a paused dispatcher, with its rows waiting',
      { paused: ['dispatcher'], rates: IDLE, outbox: { ...OUTBOX, oldestPendingSeconds: 600 } },
      { dispatcher: 'paused' },
    ],
    [
      'paused delivery, with its clients waiting',
      { paused: ['delivery'], pods: [pod({ slowConnections: 90 })] },
      { hub: 'paused' },
    ],
    [
      'Redis cut off from one of two pods',
      { pods: [pod(), pod({ name: 'two', reasons: ['redis_unreachable'] })] },
      { stream: 'degraded' },
    ],
    [
      'Redis cut off from the pod that is asked alone',
      { stream: undefined, pods: [pod({ reasons: ['redis_unreachable'] }), pod({ name: 'two' })] },
      { stream: 'degraded', dispatcher: 'degraded', consumer: 'degraded' },
    ],
    [
      'Redis cut off from whoever looks from outside, and not from the only pod',
      { stream: undefined, isOutsider: true },
      { stream: 'degraded' },
    ],
    [
      'Redis cut off from whoever looks from outside, and from every pod',
      { stream: undefined, isOutsider: true, pods: [pod({ reasons: ['redis_unreachable'] })] },
      { stream: 'down', dispatcher: 'degraded', consumer: 'degraded', hub: 'degraded' },
    ],
    ['a Redis that was not named to whoever looks', { stream: 'not_named' }, { stream: 'off' }],
    [
      'a Redis that was not named, and that no pod reaches',
      { stream: 'not_named', pods: [pod({ reasons: ['redis_unreachable'] })] },
      { stream: 'down', hub: 'degraded' },
    ],
    [
      'a Redis that was not named, with entries that nobody reads',
      { stream: 'not_named', rates: IDLE, pods: [pod({ oldestUnreadSeconds: 60 })] },
      { stream: 'off', consumer: 'down' },
    ],
  ])('%s', (_name, inputs, expected) => {
    expect(healths(inputs)).toEqual({ ...ALL_OK, ...expected });
  });

  test('whatever is not well says why', () => {
    for (const stage of viewStages({ ...WELL, stream: undefined }))
      if (stage.health !== 'ok') expect(stage.cause).toBeTruthy();
  });
});

describe('the fleet', () => {
  test('rates are differences over all pods that live; a silent one is gone, one that said goodbye is not', async () => {
    const clock = new ManualClock();
    const fleet = new Fleet(clock);
    const say = (name: string, at: number, accepted: number) =>
      fleet.hear(pod({ instance: name, name, at, totals: { ...TOTALS, accepted } }).figures);
    say('a', 1, 100);
    say('b', 1, 10);
    await clock.advance(2000);
    say('a', 2, 140);
    say('b', 2, 20);
    // The same again, through the table.
    say('b', 2, 20);
    expect(fleet.rates().accepted).toBe(25);
    fleet.leave('b');
    say('b', 3, 30);
    expect(fleet.pods().map(({ figures }) => figures.name)).toEqual(['a']);
    await clock.advance(5001);
    expect(fleet.pods().map(({ isGone }) => isGone)).toEqual([true]);
    expect(fleet.rates().accepted).toBe(0);
    await clock.advance(3_600_000);
    expect(fleet.pods()).toEqual([]);
  });
});
