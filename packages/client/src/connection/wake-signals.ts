import { sleep, type Clock } from '../clock.ts';

/** How often the two clocks are compared. */
const TICK_MS = 5000;
/** A tick that comes so much too late, on either clock, means that the machine slept. */
const JUMP_MS = 10_000;
/** Page and network events that make a connection doubtful, or a pause pointless. */
const EVENTS = ['online', 'offline', 'pageshow', 'resume', 'visibilitychange'] as const;

/**
 * Calls `onWake` when the network changed, the page came back, or the machine slept: moments at which a socket may
 * be dead without knowing it, and at which a try may succeed that would have failed before. Until `signal`.
 */
export async function watchWakeSignals(clock: Clock, onWake: () => void, signal: AbortSignal): Promise<void> {
  // `visibilitychange` is an event of the document that bubbles to the window; Node has neither.
  const source = globalThis as Partial<EventTarget>;
  for (const name of EVENTS) source.addEventListener?.(name, onWake, { signal });
  while (!signal.aborted) {
    const wallMs = clock.now();
    const monotonicMs = clock.monotonic();
    await sleep(clock, TICK_MS, signal);
    const lateMs = Math.max(clock.now() - wallMs, clock.monotonic() - monotonicMs) - TICK_MS;
    if (lateMs > JUMP_MS) onWake();
  }
}
