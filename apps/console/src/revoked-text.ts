import type { Revoked } from '@sanctum/protocol/admin';
import { counted } from './format.ts';

/** How many connections a revocation closes; where pods did not answer, how many at least, and which they are. */
export function closingText({
  connections,
  pods_missing: pods,
}: Pick<Revoked, 'connections' | 'pods_missing'>) {
  const known = `${counted(connections, 'connection was', 'connections were')} open, now closing`;
  return pods.length === 0 ? `${known}.` : `At least ${known} (no answer from ${pods.join(', ')}).`;
}
