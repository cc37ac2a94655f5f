import { expect, test } from 'vitest';
import { ManualClock } from '../tests/support/manual-clock.ts';
import { Fleet } from './fleet.ts';
import { PipelineWatch } from './pipeline-watch.ts';

test('a store that takes long to answer is asked less often, and its last answer is shown meanwhile', async () => {
  const clock = new ManualClock();
  const asked = { outbox: 0, stream: 0 };
  const watch = new PipelineWatch({
    fleet: new Fleet(clock),
    controls: { paused: [] },
    clock,
    pod: 'pod',
    epoch: () => 1,
    probes: {
      async outbox() {
        asked.outbox += 1;
        await clock.sleep(500);
        return { pending: 1_000_000, oldestPendingSeconds: 900, deadRows: 0 };
      },
      stream() {
        asked.stream += 1;
        return Promise.resolve({
          length: 1,
          maxLength: 10,
          fullest: 0.1,
          pending: 0,
          oldestUnreadSeconds: 0,
          refuses: undefined,
        });
      },
      pods: () => Promise.resolve([]),
    },
  });
  const ending = new AbortController();
  const running = watch.run(ending.signal);
  const first = watch.look();
  await clock.advance(500);
  expect((await first).stores.outbox).toMatchObject({ pending: 1_000_000 });
  for (let second = 1; second <= 20; second++) {
    await clock.advance(1000);
    expect((await watch.look()).stores.outbox).toMatchObject({ pending: 1_000_000 });
  }
  expect(asked.stream).toBeGreaterThanOrEqual(20);
  expect(asked.outbox).toBeLessThanOrEqual(5);
  ending.abort();
  await running;
});
