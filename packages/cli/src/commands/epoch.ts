import { PostgresOperations } from '@sanctum/messaging/adapters/postgres/operations';
import { OPERATIONS_TIMEOUT_MS, PostgresPool } from '@sanctum/messaging/adapters/postgres/pool';
import { PostgresReaderLog } from '@sanctum/messaging/adapters/postgres/reader-log';
import { Command } from 'commander';
import { CliError, UsageError } from '../cli-error.ts';
import { confirmed } from '../confirmed.ts';
import { postgresUrl, withDatabase } from '../database.ts';
import { operatorName } from '../operator/operator-name.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';

interface EpochOptions {
  readonly postgresUrl?: string;
  readonly yes?: true;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  sanctum epoch
  sanctum epoch raise --yes

The epoch tells one history of the log from another. After the database was restored from a backup, places that
clients remember may name other messages: raise the epoch before the first pod starts again.`;

const RAISE_EXAMPLES = `
Examples:
  sanctum epoch raise
  sanctum epoch raise --yes --json

Every client is told that its cursors are void, and begins again. It cannot be undone.`;

/** `sanctum epoch` shows the log's epoch, `sanctum epoch raise` raises it. */
export function epochCommand(shell: Shell): Command {
  const show = withCommonOptions(new Command('epoch'))
    .description("show the log's epoch, or raise it after a restore")
    .addHelpText('after', EXAMPLES)
    .action(async (options: EpochOptions) => {
      const output = new Output(shell, options);
      const epoch = await withPool(postgresUrl(shell, options, output), readEpoch);
      output.result({ epoch }, `epoch ${epoch}`);
    });
  const raise = withCommonOptions(new Command('raise'))
    .description('raise the epoch: after a restore, before the first pod starts again')
    .option('--yes', 'do not ask')
    .addHelpText('after', RAISE_EXAMPLES)
    .action(async (_own: object, command: Command) => {
      const options = command.optsWithGlobals<EpochOptions>();
      const output = new Output(shell, options);
      const url = postgresUrl(shell, options, output);
      if (options.yes !== true) await assertConfirmed(shell, url);
      const { before, epoch } = await withPool(url, (pool) =>
        new PostgresOperations(pool).raiseEpoch(operatorName()),
      );
      output.result({ before, epoch }, `epoch raised from ${before} to ${epoch}`);
    });
  return show.addCommand(raise);
}

/** Both commands list them. Wherever they stand on the line, commander gives them to the outer one. */
function withCommonOptions(command: Command): Command {
  return command
    .option('--postgres-url <url>', 'the database (default: POSTGRES_URL, else DATABASE_URL)')
    .option('--json', 'print the result as JSON');
}

async function assertConfirmed(shell: Shell, url: string): Promise<void> {
  if (shell.stdin.isTTY !== true || shell.stderr.isTTY !== true) {
    throw new UsageError(
      'raising the epoch voids the cursors of all clients, and there is no terminal to ask at',
      'Add --yes.',
    );
  }
  const epoch = await withPool(url, readEpoch);
  const question = `Raise the epoch ${epoch}? Every client's cursors become void.`;
  if (!(await confirmed(shell, question))) throw new CliError(`the epoch stays ${epoch}`);
}

function readEpoch(pool: PostgresPool): Promise<number> {
  return new PostgresReaderLog(pool, { payloadLimitBytes: 0 }).readEpoch();
}

function withPool<T>(url: string, work: (pool: PostgresPool) => Promise<T>): Promise<T> {
  return withDatabase(url, async () => {
    const pool = new PostgresPool({
      url,
      applicationName: 'sanctum-epoch',
      maxConnections: 1,
      callTimeoutMs: OPERATIONS_TIMEOUT_MS,
    });
    try {
      return await work(pool);
    } finally {
      await pool.end();
    }
  });
}
