import { PostgresOperations } from '@sanctum/messaging/adapters/postgres/operations';
import { viewStorage } from '@sanctum/messaging/adapters/postgres/storage-view';
import type { Partition, Partitions } from '@sanctum/protocol/admin';
import { Command } from 'commander';
import { assertConfirmed } from '../operator/assert-confirmed.ts';
import { retentionOfPods } from '../operator/retention.ts';
import { type StoreOptions, withStoreOptions, withStores } from '../operator/stores.ts';
import { ageText, bytesText } from '../operator/texts.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';

const EXAMPLES = `
Examples:
  sanctum partitions
  sanctum partitions --json
  sanctum partitions ensure --yes

The pods make partitions days ahead by themselves; \`ensure\` does it now, and moves what had to go to the default one.`;

/** `sanctum partitions` lists them, `sanctum partitions ensure` makes those of the days to come. */
export function partitionsCommand(shell: Shell): Command {
  const show = withStoreOptions(new Command('partitions'))
    .description("list the outbox's partitions, or make those of the days to come")
    .addHelpText('after', EXAMPLES)
    .action(async (options: StoreOptions) => {
      const output = new Output(shell, options);
      await withStores(shell, { options, output }, async ({ pool, config, fleet }) => {
        const retention = retentionOfPods(fleet);
        if (retention === undefined) output.note('no pod says for how long it keeps things: by this shell');
        const storage = await viewStorage(pool, retention ?? config.retention);
        output.result(storage, text(storage));
      });
    });
  const ensure = withStoreOptions(new Command('ensure'))
    .description('make the partitions of the days to come')
    .option('--yes', 'do not ask')
    .action(async (_own: object, command: Command) => {
      const options = command.optsWithGlobals<StoreOptions>();
      const output = new Output(shell, options);
      await assertConfirmed(shell, options, 'Make the partitions of the next days?');
      await withStores(shell, { options, output }, async ({ pool, operator }) => {
        const made = await new PostgresOperations(pool).ensurePartitionsBy(operator);
        output.result({ made }, made === 0 ? 'they are all there' : `made ${made}`);
      });
    });
  return show.addCommand(ensure);
}

function text(storage: Partitions): string {
  const { retention, ahead_seconds: ahead, dlq_rows: dlqRows, background_jobs: jobs } = storage;
  return [
    ...storage.partitions.map(line),
    `kept for ${retention.outbox_days} days, ${ageText(ahead)} ahead; ${dlqRows} unusable stream entries, kept for ${retention.dlq_days} days`,
    ...jobs.map(({ name, last_success_at: at, last_error: error }) => {
      return `job ${name}: ${at === null ? 'not done yet' : `last done ${at}`}${error === null ? '' : `, then failed: ${error}`}`;
    }),
  ].join('\n');
}

function line({ name, kind, from, to, bytes, rows, expired }: Partition): string {
  const span = from === null ? kind : `${from.slice(0, 16)} … ${to?.slice(0, 16)}`;
  const mark = expired ? '  expired' : kind === 'default' && rows > 0 ? '  NOT EMPTY' : '';
  return `${name.padEnd(28)}  ${span.padEnd(35)}  ${bytesText(bytes).padStart(10)}  ${String(rows).padStart(9)} rows${mark}`;
}
