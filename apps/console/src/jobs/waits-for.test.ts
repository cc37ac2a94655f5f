import type { Stage } from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';
import { waitsFor } from './waits-for.ts';

const stage = (name: Stage['name'], change: Partial<Stage> = {}): Stage => ({
  name,
  health: 'ok',
  cause: null,
  rate: null,
  error_rate: null,
  lag_seconds: null,
  backlog: null,
  pods: 1,
  pods_alive: 1,
  ...change,
});

test('what is set to be sent waits for a stage that is paused or on no pod, and for no other trouble', () => {
  const well = (['outbox', 'dispatcher', 'consumer', 'hub'] as const).map((name) => stage(name));
  expect(waitsFor(well)).toEqual([]);
  expect(
    waitsFor([
      stage('outbox', { health: 'degraded' }),
      stage('dispatcher', { health: 'paused' }),
      stage('consumer', { health: 'off', pods: 0 }),
      stage('hub', { health: 'paused' }),
    ]),
  ).toEqual([
    'the dispatcher is paused: they wait until it runs',
    'the consumer is on no living pod (CONSUMER_ENABLED=true): they wait until it runs',
    'delivery is paused: they wait until it runs',
  ]);
  expect(waitsFor([stage('dispatcher', { health: 'down' })])).toEqual([]);
});
