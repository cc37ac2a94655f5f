import type { Health, Stage, StageName } from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';
import { headline, troubled } from './stages.ts';

const stage = (name: StageName, health: Health, cause: string | null = null): Stage => ({
  name,
  health,
  cause,
  rate: 0,
  error_rate: 0,
  lag_seconds: null,
  backlog: null,
  pods: 1,
  pods_alive: 1,
});

test('the headline names what is down before what suffers from it', () => {
  const stages = [stage('dispatcher', 'degraded', 'waits'), stage('stream', 'down', 'refused')];
  expect(headline({ stages })).toEqual({ sign: 'bad', text: 'Redis Stream is down' });
  expect(troubled(stages).map(({ name }) => name)).toEqual(['stream', 'dispatcher']);
});

test('a forgotten pause is in the headline', () => {
  expect(headline({ stages: [stage('hub', 'ok'), stage('consumer', 'paused')] }).text).toBe(
    'Paused: Consumer',
  );
});

test('several are listed as one says it', () => {
  const stages = [stage('intake', 'down'), stage('outbox', 'down'), stage('hub', 'down')];
  expect(headline({ stages }).text).toBe('HTTP POST, Outbox and WebSocketHub are down');
});

test('when all is well it says so', () => {
  expect(headline({ stages: [stage('hub', 'ok')] })).toEqual({ sign: 'ok', text: 'Everything works' });
});
