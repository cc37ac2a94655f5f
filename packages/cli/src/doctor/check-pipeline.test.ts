import { allRules, isAlert } from '@sanctum/deploy/prometheus/rule-files';
import {
  BACKGROUND_JOB_STALE_SECONDS,
  PARTITIONS_AHEAD_MIN_SECONDS,
  PAUSE_FORGOTTEN_SECONDS,
} from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';

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
