const TIMEOUT_MS = 10_000;
const POLL_MS = 10;
const POLL_MOST_MS = 200;

/**
 * Runs a check until it passes: for what no signal tells of. Rejects with its last failure. Without `pollMs` it looks
 * ever less often, as each look costs what is waited for some of its time, but late by a tenth of the wait at most.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  timeoutMs = TIMEOUT_MS,
  pollMs?: number,
): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() - startedAt > timeoutMs) throw error;
    }
    const waitedMs = performance.now() - startedAt;
    const pauseMs = pollMs ?? Math.max(POLL_MS, Math.min(POLL_MOST_MS, waitedMs / 10));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
