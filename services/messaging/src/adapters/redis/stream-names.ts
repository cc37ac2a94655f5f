/** The largest `DISPATCH_STREAM_PARTITIONS`; a reader looks for that many, whatever it is set to itself. */
export const STREAM_PARTITIONS_MAX = 16;

/** The name of a partition: `sanctum:messages`, `sanctum:messages:1`, … */
export function streamName(base: string, partition: number): string {
  return partition === 0 ? base : `${base}:${partition}`;
}
