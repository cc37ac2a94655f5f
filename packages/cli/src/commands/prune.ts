import { appendAudit } from '@sanctum/messaging/adapters/postgres/operator-log';
import { PostgresPool } from '@sanctum/messaging/adapters/postgres/pool';
import { viewStorage } from '@sanctum/messaging/adapters/postgres/storage-view';
import { Command } from 'commander';
import { assertConfirmed } from '../operator/assert-confirmed.ts';
import { retentionToPrune } from '../operator/retention.ts';
import { type StoreOptions, withStoreOptions, withStores } from '../operator/stores.ts';
import { countValue } from '../option-values.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';

interface PruneOptions extends StoreOptions {
  readonly outboxDays?: number;
  readonly dlqDays?: number;
  readonly force?: true;
}

/** A prune waits for writers and drops partitions one by one: minutes at the worst. */
const PRUNE_TIMEOUT_MS = 3600 * 1000;

const EXAMPLES = `
Examples:
  sanctum prune
  sanctum prune --outbox-days 3 --dlq-days 14 --force --yes

Drops the partitions in which everything is older, after raising the floors that tell clients so, and dead letters
older than theirs. It goes on where an interrupted one ended. The pods do it by themselves; this is for the night
when the disk is full. How long things are kept the pods say, the longest of them counts: less than that is refused
without --force. Where no pod lives, both options or variables are needed.`;

/** `sanctum prune`: what is older than the retention goes, now. */
export function pruneCommand(shell: Shell): Command {
  return withStoreOptions(new Command('prune'))
    .description('drop what is older than the retention, now')
    .option('--outbox-days <n>', 'messages (default: OUTBOX_RETENTION_DAYS, else as the pods)', countValue)
    .option('--dlq-days <n>', 'dead letters (default: DLQ_RETENTION_DAYS, else as the pods)', countValue)
    .option('--force', 'drop also what the pods would keep; needs the days as an option')
    .option('--yes', 'do not ask')
    .addHelpText('after', EXAMPLES)
    .action(async (options: PruneOptions) => {
      const output = new Output(shell, options);
      await withStores(shell, { options, output }, async (stores) => {
        const { pool, operator, postgresUrl } = stores;
        const { outboxDays, dlqDays } = retentionToPrune({ shell, ...stores }, options);
        const before = await viewStorage(pool, { outboxDays, dlqDays });
        const expired = before.partitions.filter((partition) => partition.expired);
        await assertConfirmed(
          shell,
          options,
          `Drop ${expired.length} partitions older than ${outboxDays} days, and dead letters older than ${dlqDays}?`,
        );
        await pool.session((session) =>
          appendAudit(session, {
            operator,
            action: 'prune',
            target: 'outbox',
            parameters: { outbox_days: outboxDays, dlq_days: dlqDays, force: options.force === true },
          }),
        );
        await prune(postgresUrl, { outboxDays, dlqDays });
        const after = await viewStorage(pool, { outboxDays, dlqDays });
        const names = new Set(after.partitions.map(({ name }) => name));
        const dropped = before.partitions.map(({ name }) => name).filter((name) => !names.has(name));
        const dlqRows = before.dlq_rows - after.dlq_rows;
        output.result(
          { dropped, dlq_rows: dlqRows },
          [
            dropped.length === 0 ? 'no partition was old enough' : `dropped: ${dropped.join(', ')}`,
            `unusable stream entries forgotten: ${dlqRows}`,
          ].join('\n'),
        );
      });
    });
}

/** The procedures commit piece by piece, so they stand outside a transaction. */
async function prune(url: string, { outboxDays, dlqDays }: { outboxDays: number; dlqDays: number }) {
  const pool = new PostgresPool({
    url,
    applicationName: 'sanctum-prune',
    maxConnections: 1,
    callTimeoutMs: PRUNE_TIMEOUT_MS,
  });
  try {
    await pool.session(async (session) => {
      await session.command(`CALL messaging.prune_message_outbox(INTERVAL '${outboxDays} days')`);
      await session.command(`CALL messaging.prune_message_dlq(INTERVAL '${dlqDays} days')`);
    });
  } finally {
    await pool.end();
  }
}
