/*
 * From where on the log's upkeep needs somebody: for the console and `sanctum doctor`, which say so where the alerts do.
 * A test holds them to deploy/prometheus/rules/operations.yml.
 */

/** `OutboxPartitionsRunningOut`: fewer days ahead. The job makes three. */
export const PARTITIONS_AHEAD_MIN_SECONDS = 2 * 24 * 3600;
/** `BackgroundJobStale`: no success for longer. Each job runs hourly. */
export const BACKGROUND_JOB_STALE_SECONDS = 3 * 3600;
/** `ControlPauseForgotten`: paused for longer. */
export const PAUSE_FORGOTTEN_SECONDS = 30 * 60;
