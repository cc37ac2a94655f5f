import type { Health, Stage, StageName } from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';
import { headline, remedyOf, troubled } from './stages.ts';

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

test.each([
  ['Redis does not answer: messages take the slow path', /Restart Redis or fail over/],
  ['Redis refuses writes (OOM)', /maxmemory.*XTRIM <stream> MAXLEN ~ n/],
  ['Redis refuses writes (MISCONF)', /disk and its log/],
  ['Redis refuses writes (NOREPLICAS)', /min-replicas-to-write/],
  ['Redis refuses writes (READONLY)', /REDIS_URL to the primary/],
  ['Redis refuses writes (NEW)', /Restart Redis or fail over/],
])('what to do: %s', (cause, remedy) => {
  const text = remedyOf(stage('stream', 'down', cause));
  expect(text).toMatch(remedy);
  expect(text).toContain('slow path');
  expect(text.includes('Restart')).toBe(remedy.source.includes('Restart'));
});

test('whoever only waits for another gets no remedy', () => {
  expect(remedyOf(stage('stream', 'degraded', 'Redis refuses writes (OOM)'))).toBe('');
});
