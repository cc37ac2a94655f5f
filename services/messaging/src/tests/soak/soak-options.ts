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

/** A partition's span: a day, or in a squeezed soak so short that thirty of them pass. */
export function partitionMs({ lengthMs, squeezed }: SoakOptions): number {
  if (!squeezed) return DAY;
  return Math.round(Math.min(PARTITION_MAX_MS, Math.max(PARTITION_MIN_MS, lengthMs / 30)) / SECOND) * SECOND;
}

/** How long it takes until as much expires as comes in; before that nothing is judged. */
export function warmUpMs(options: SoakOptions): number {
  const share = options.lengthMs * WARM_UP_SHARE;
  return options.squeezed ? Math.max(share, (RETENTION_PARTITIONS + 3) * partitionMs(options)) : share;
}

/** The stream's REDIS_STREAM_MAXLEN: reached within the warm-up, so that Redis too is in a steady state when judged. */
export function streamMaxLength(options: SoakOptions): number {
  return Math.max(1000, Math.floor((options.ratePerSecond * warmUpMs(options)) / SECOND / 4));
}
