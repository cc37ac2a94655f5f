import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const FIRST_PORT = 15_000;
/** Linux hands out 32768 and up to outgoing connections: a port below stays ours across a restart. */
const LAST_PORT = 32_000;
const ATTEMPTS_MAX = 50;

/** Whether `port` can be bound on `host` right now. */
export function portIsFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A TCP port that nothing listens on: `preferred` when it is free, else a random one. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await portIsFree(preferred))) return preferred;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await portIsFree(port)) return port;
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT} after ${ATTEMPTS_MAX} attempts`);
}
