import type { Clock } from '../../clock.ts';

/** `Clock.sleep` by the timers of a test's clock: resolves after `delayMs`, or at once when `signal` is aborted. */
export function sleepBy(
  clock: Pick<Clock, 'setTimer'>,
  { delayMs, signal }: { readonly delayMs: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
