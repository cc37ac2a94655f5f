import { allRules, isAlert } from '@sanctum/deploy/prometheus/rule-files';
import { Fleet } from '@sanctum/messaging/operations/fleet';
import { podFigures } from '@sanctum/messaging/tests/support/pod-figures';
import {
  BACKGROUND_JOB_STALE_SECONDS,
  PARTITIONS_AHEAD_MIN_SECONDS,
  PAUSE_FORGOTTEN_SECONDS,
} from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';
import { ManualClock } from '../tests/manual-clock.ts';
import { checkPods } from './check-pipeline.ts';

function expressionOf(name: string): string | undefined {
  return allRules()
    .filter(isAlert)
    .find(({ alert }) => alert === name)?.expr;
}

test('what doctor and the console call overdue is what the alerts call so', () => {
  expect(expressionOf('OutboxPartitionsRunningOut')).toMatch(
    new RegExp(`_ahead_days\\) < ${PARTITIONS_AHEAD_MIN_SECONDS / 86_400}$`),
  );
  expect(expressionOf('BackgroundJobStale')).toMatch(
    new RegExp(`> ${BACKGROUND_JOB_STALE_SECONDS / 3600} \\* 3600$`),
  );
  expect(expressionOf('ControlPauseForgotten')).toMatch(
    new RegExp(`> ${PAUSE_FORGOTTEN_SECONDS / 60} \\* 60\\s*unless`),
  );
});

test('what pods say of themselves cannot move the cursor', () => {
  const fleet = new Fleet(new ManualClock());
  const name = 'a\u001b[2J';
  fleet.hear(podFigures({ instance: '1', name, version: '1\r' }));
  fleet.hear(podFigures({ instance: '2', name, version: '2', reasons: ['x\u001b[31m'] }));
  const messages = checkPods({ fleet }).map(({ message }) => message);
  expect(messages).toHaveLength(4);
  for (const control of ['\u001b', '\r']) expect(messages.join('')).not.toContain(control);
});

test('a path that stands still since an operator has paused a stage is no trouble of the pod', () => {
  const said = (change: Parameters<typeof podFigures>[0]) => {
    const fleet = new Fleet(new ManualClock());
    fleet.hear(podFigures(change));
    return checkPods({ fleet })
      .filter(({ level }) => level === 'problem')
      .map(({ message }) => message);
  };
  expect(said({ reasons: ['path_broken'] })).toEqual(['one: path_broken']);
  expect(said({ reasons: ['path_broken'], paused: ['delivery'] })).toEqual(['one: path_broken']);
  for (const stage of ['dispatcher', 'consumer'] as const) {
    expect(said({ reasons: ['path_broken'], paused: [stage] })).toEqual([]);
    const reasons = ['redis_unreachable', 'path_broken'];
    expect(said({ reasons, paused: [stage] })).toEqual(['one: redis_unreachable']);
  }
});

test('a stage that no living pod does is told of', () => {
  const fleet = new Fleet(new ManualClock());
  const warnings = () => checkPods({ fleet }).filter(({ level }) => level === 'warning');
  fleet.hear(podFigures({ name: 'a', consumer: false }));
  expect(warnings()).toEqual([
    expect.objectContaining({ message: expect.stringMatching(/^none that lives has CONSUMER_ENABLED=true/) }),
  ]);
  fleet.hear(podFigures({ name: 'b', dispatcher: false }));
  expect(warnings()).toEqual([]);
});
