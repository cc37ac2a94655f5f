const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** What a soak does; `squeezed` runs the retention's clock faster by making partitions of seconds or minutes. */
export interface SoakOptions {
  readonly lengthMs: number;
  readonly squeezed: boolean;
  readonly ratePerSecond: number;
  readonly pods: number;
  readonly conversations: number;
  readonly users: number;
  readonly sampleEveryMs: number;
}

export const SOAK_DEFAULTS: SoakOptions = {
  lengthMs: DAY,
  squeezed: false,
  ratePerSecond: 200,
  pods: 2,
  conversations: 300,
  users: 150,
  sampleEveryMs: 5 * SECOND,
};

/** Members of each conversation: those that stay, and one who comes and goes. */
export const MEMBERS = 4;
/** What a member may be behind; beyond it, a violation. */
export const LATE_MS = 30 * SECOND;
/** OUTBOX_RETENTION_DAYS, which are partitions. */
export const RETENTION_PARTITIONS = 3;
export const TOKEN_LIFETIME_MS = 2 * MINUTE;
const PARTITION_MIN_MS = 10 * SECOND;
const PARTITION_MAX_MS = 2 * MINUTE;
const WARM_UP_SHARE = 0.2;
/** A fifth of the messages goes to a few conversations. */
export const HOT_SHARE = 0.2;
/** As in realtime/feed.ts and realtime/consumer-recent.ts. */
const RING_MESSAGES = 128;
const BROADCASTS = 100_000;

/** A partition's span: a day, or in a squeezed soak so short that thirty of them pass. */
export function partitionMs({ lengthMs, squeezed }: SoakOptions): number {
  if (!squeezed) return DAY;
  return Math.round(Math.min(PARTITION_MAX_MS, Math.max(PARTITION_MIN_MS, lengthMs / 30)) / SECOND) * SECOND;
}

/**
 * How long it takes until as much is let go as comes in; before that nothing is judged. Partitions have to expire, and
 * what a pod remembers within bounds has to be full: the rings of its feeds, and, where half of the run is enough for
 * it, the consumer's last broadcasts.
 */
export function warmUpMs(options: SoakOptions): number {
  const { lengthMs, squeezed, ratePerSecond, conversations, pods } = options;
  const ringsMs = (RING_MESSAGES * SECOND * conversations) / (ratePerSecond * (1 - HOT_SHARE));
  const broadcastsMs = (BROADCASTS * SECOND * pods) / ratePerSecond;
  return Math.max(
    lengthMs * WARM_UP_SHARE,
    squeezed ? (RETENTION_PARTITIONS + 3) * partitionMs(options) : 0,
    ringsMs,
    Math.min(broadcastsMs, lengthMs / 2),
  );
}

/** The stream's REDIS_STREAM_MAXLEN: reached within the warm-up, so that Redis too is in a steady state when judged. */
export function streamMaxLength(options: SoakOptions): number {
  return Math.max(1000, Math.floor((options.ratePerSecond * warmUpMs(options)) / SECOND / 4));
}
