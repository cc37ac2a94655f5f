const POLL_MS = 10;
const TIMEOUT_MS = 10_000;

/** Runs a check until it passes: for what no signal tells of. Rejects with its last failure. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  timeoutMs = TIMEOUT_MS,
  pollMs = POLL_MS,
): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
