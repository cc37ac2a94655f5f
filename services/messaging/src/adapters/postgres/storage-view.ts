import { formatTime } from '@sanctum/protocol';
import type { Partition, Partitions } from '@sanctum/protocol/admin';
import type { PostgresPool } from './pool.ts';

const COUNTED_MAX = 100_000;

/** Reads the catalogue, and no partition but the two that ought to be small. */
const PARTITIONS = {
  name: 'partitions',
  text: `SELECT c.relname AS name, c.relname = 'message_outbox_default' AS is_default,
           pg_total_relation_size(c.oid) AS bytes, greatest(c.reltuples, 0)::bigint AS rows,
           substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$FROM \\('([^']+)'\\)$re$)::timestamptz AS lower,
           substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$TO \\('([^']+)'\\)$re$)::timestamptz AS upper
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'messaging.message_outbox_days'::regclass ORDER BY lower NULLS LAST, name`,
};
const SMALL = {
  name: 'small-partitions',
  text: `SELECT
           (SELECT count(*) FROM (SELECT FROM messaging.message_outbox_default LIMIT ${COUNTED_MAX}) d) AS default_rows,
           (SELECT count(*) FROM (SELECT FROM messaging.message_outbox_kept LIMIT ${COUNTED_MAX}) k) AS kept_rows,
           (SELECT count(*) FROM (SELECT FROM messaging.message_dlq LIMIT ${COUNTED_MAX}) q) AS dlq_rows,
           pg_total_relation_size('messaging.message_outbox_kept') AS kept_bytes,
           clock_timestamp() AS now`,
};
const HAS_JOBS = {
  name: 'has-background-jobs',
  text: `SELECT to_regclass('messaging.background_jobs') IS NOT NULL AS there`,
};
const JOBS = {
  name: 'background-jobs',
  text: 'SELECT job, last_succeeded_at, last_error FROM messaging.background_jobs ORDER BY job',
};

interface PartitionRow {
  readonly name: string;
  readonly is_default: boolean;
  readonly bytes: number;
  readonly rows: number;
  readonly lower: number | null;
  readonly upper: number | null;
}

const DAY_MS = 24 * 3600 * 1000;

/** The partitions as they are, against the retention that is set. */
export async function viewStorage(
  pool: PostgresPool,
  retention: { readonly outboxDays: number; readonly dlqDays: number },
): Promise<Partitions> {
  return pool.session(async (session) => {
    const [parts, [small], [jobs]] = await Promise.all([
      session.query<PartitionRow>(PARTITIONS),
      session.query<{
        default_rows: number;
        kept_rows: number;
        dlq_rows: number;
        kept_bytes: number;
        now: number;
      }>(SMALL),
      session.query<{ there: boolean }>(HAS_JOBS),
    ]);
    const { default_rows, kept_rows, dlq_rows, kept_bytes, now } = small!;
    const backgroundJobs = jobs!.there
      ? await session.query<{ job: string; last_succeeded_at: number | null; last_error: string | null }>(
          JOBS,
        )
      : [];
    const expiredBefore = now - retention.outboxDays * DAY_MS;
    const days = parts.map(({ is_default, lower, upper, ...part }): Partition => {
      return {
        ...part,
        kind: is_default ? 'default' : 'range',
        rows: is_default ? default_rows : part.rows,
        from: timeOf(lower),
        to: timeOf(upper),
        expired: upper !== null && upper <= expiredBefore,
      };
    });
    const last = Math.max(now, ...parts.map(({ upper }) => upper ?? now));
    return {
      partitions: [
        ...days,
        {
          name: 'message_outbox_kept',
          kind: 'kept',
          from: null,
          to: null,
          bytes: kept_bytes,
          rows: kept_rows,
          expired: false,
        },
      ],
      retention: { outbox_days: retention.outboxDays, dlq_days: retention.dlqDays },
      ahead_seconds: (last - now) / 1000,
      dlq_rows,
      background_jobs: backgroundJobs.map(({ job, last_succeeded_at, last_error }) => ({
        name: job,
        last_success_at: timeOf(last_succeeded_at),
        last_error,
      })),
    };
  });
}

function timeOf(ms: number | null): string | null {
  return ms === null || !Number.isFinite(ms) ? null : formatTime(ms);
}
