import { expect, it } from 'vitest';
import { endOfDrain } from './end-of-drain.ts';

const ended = (exitCode: number | null, ...events: string[]) =>
  endOfDrain('full', { logs: events.map((event) => ({ event })), process: { exitCode } });

it('a pod that drained is told from one whose grace was over, and from one that failed', async () => {
  expect(await ended(0, 'server_draining', 'server_stopped')).toEqual({
    sentence: 'full drained, and ended with 0',
    isKept: true,
  });
  expect(await ended(1, 'server_draining', 'shutdown_forced')).toEqual({
    sentence: 'full did not drain within its grace, and ended with 1',
    isKept: false,
  });
  expect(await ended(1, 'server_draining')).toEqual({
    sentence: 'full failed to drain, and ended with 1',
    isKept: false,
  });
  expect(await ended(null, 'server_draining', 'server_stopped')).toMatchObject({ isKept: false });
});
