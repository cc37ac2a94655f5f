import type { Clock, Timer } from '../clock.ts';

/** How often the two clocks are compared. */
const TICK_MS = 5000;
/** A tick that comes so much too late, on either clock, means that the machine slept. */
const JUMP_MS = 10_000;
/** Page and network events that make a connection doubtful, or a pause pointless. */
const EVENTS = ['online', 'offline', 'pageshow', 'resume', 'visibilitychange'] as const;

interface EventSource {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/**
 * Calls `onWake` when the network changed, the page came back, or the machine slept: moments at which a socket may
 * be dead without knowing it, and at which a try may succeed that would have failed before.
 *
 * @returns what ends it
 */
export function watchWakeSignals(clock: Clock, onWake: () => void): () => void {
  // `visibilitychange` is an event of the document that bubbles to the window; Node has neither.
  const source = globalThis as Partial<EventSource>;
  for (const name of EVENTS) source.addEventListener?.(name, onWake);
  let timer: Timer;
  const watch = () => {
    const wallMs = clock.now();
    const monotonicMs = clock.monotonic();
    timer = clock.setTimer(TICK_MS, () => {
      const lateMs = Math.max(clock.now() - wallMs, clock.monotonic() - monotonicMs) - TICK_MS;
      watch();
      if (lateMs > JUMP_MS) onWake();
    });
  };
  watch();
  return () => {
    timer.cancel();
    for (const name of EVENTS) source.removeEventListener?.(name, onWake);
  };
}
