import type { JobEstimate } from '@sanctum/protocol/admin';
import { printable } from '../output.ts';

/** A time span for people: `12s`, `5m`, `3h`, `2d`. */
export function ageText(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)}s`;
  if (seconds < 90 * 60) return `${(seconds / 60).toFixed(0)}m`;
  if (seconds < 36 * 3600) return `${(seconds / 3600).toFixed(0)}h`;
  return `${(seconds / 86_400).toFixed(0)}d`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(0)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

/** How many clients would get messages again; where not all could be counted, how many at least, and why. */
export function clientsText(
  estimate: Pick<JobEstimate, 'clients' | 'pods_missing' | 'conversations_uncounted'>,
): string {
  const { clients, pods_missing: pods, conversations_uncounted: uncounted } = estimate;
  const reasons = [
    ...(pods.length === 0
      ? []
      : [`${pods.length} pods did not answer: ${pods.map((pod) => printable(pod, 60)).join(', ')}`]),
    ...(uncounted === 0 ? [] : [`${uncounted} conversations were not looked at`]),
  ];
  const text = `${clients} connected clients`;
  return reasons.length === 0 ? text : `at least ${text} (${reasons.join('; ')})`;
}
