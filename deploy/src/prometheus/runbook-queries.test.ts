import { commandsOfKind } from '@sanctum/messaging/tests/integration/runbook/runbook-commands';
import { expect, test } from 'vitest';
import { busy, moving, podSeries, SCRAPE_SECONDS } from './pod-series.ts';
import { checkExpressions, testRules } from './promtool.ts';

/* The runbook's PromQL: all of it is valid; what the owner wrote that cannot work over pods is seen to fail. */

const commands = commandsOfKind('promql');

/** The one expression of that form which begins so. */
function expression(form: 'as written' | 'works', beginning: string): string {
  const found = new Set(
    commands
      .filter(({ asWritten, text }) => asWritten === (form === 'as written') && text.startsWith(beginning))
      .map(({ text }) => text),
  );
  expect([...found], beginning).toHaveLength(1);
  return [...found][0]!;
}

test('every expression is PromQL', async () => {
  await checkExpressions(commands.map(({ text }) => text));
});

test('over a pod that dispatches and two that consume', async () => {
  const half = { ...moving(25), fetch: 50, parseErrors: 25 };
  await testRules(
    [],
    [
      {
        name: 'half of the entries fail',
        intervalSeconds: SCRAPE_SECONDS,
        series: {
          ...podSeries('dispatcher', [{ minutes: 20, state: moving(100), stages: 'dispatcher' }]),
          ...podSeries('a', [{ minutes: 20, state: half, stages: 'consumer' }]),
          ...podSeries('b', [{ minutes: 20, state: half, stages: 'consumer' }]),
        },
        expectations: [
          {
            at: '15m',
            values: {
              // Throughput: a line for each pod, against one for all: 2 × 25 each 15 s.
              [`count(${expression('as written', 'rate(messaging_consumer_delivered_total')})`]: 2,
              [expression('works', 'sum(rate(messaging_consumer_delivered_total')]: 50 / 15,
              // Lag: dispatcher and consumers are other pods, so nothing matches; 100 published, 50 acknowledged.
              [expression('as written', 'rate(messaging_dispatch_published_total')]: undefined,
              [expression('works', 'sum(rate(messaging_dispatch_published_total')]: 50 / 15,
              // Error rate: the left side has `reason`, the right one has not.
              [expression('as written', 'rate(messaging_consumer_failures_total')]: undefined,
              [expression('works', 'sum(rate(messaging_consumer_failures_total')]: 0.5,
            },
          },
        ],
      },
      {
        name: 'two busy pods',
        intervalSeconds: SCRAPE_SECONDS,
        series: {
          ...podSeries('a', [{ minutes: 20, state: busy }]),
          ...podSeries('b', [{ minutes: 20, state: busy }]),
        },
        expectations: [
          {
            at: '15m',
            values: {
              [`count(${expression('as written', 'histogram_quantile')})`]: 2,
              [expression('works', 'histogram_quantile')]: 0.95,
              // Here each pod's halves are compared with one another, and none is the lag of the whole.
              [`count(${expression('as written', 'rate(messaging_dispatch_published_total')})`]: 2,
            },
          },
        ],
      },
    ],
  );
});
