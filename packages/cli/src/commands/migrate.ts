import { migrate, migrationNames, missingMigrations } from '@sanctum/messaging/adapters/postgres/migrate';
import { Command } from 'commander';
import { postgresUrl, withDatabase } from '../database.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';

interface MigrateOptions {
  readonly postgresUrl?: string;
  readonly status?: true;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  sanctum migrate --postgres-url postgres://postgres:postgres@127.0.0.1:5432/sanctum
  sanctum migrate --status

A file that was applied by hand, with \`psql -f\`, is adopted. Running it again does no harm.`;

/** `sanctum migrate`: brings the schema up to date. */
export function migrateCommand(shell: Shell): Command {
  return new Command('migrate')
    .description('bring the database schema up to date')
    .option('--postgres-url <url>', 'the database (default: POSTGRES_URL, else DATABASE_URL)')
    .option('--status', 'say which migrations are applied and which are missing; change nothing')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: MigrateOptions) => {
      const output = new Output(shell, options);
      const url = postgresUrl(shell, options, output);
      if (options.status) return withDatabase(url, () => showStatus(url, output));
      return withDatabase(url, () => applyMissing(url, output));
    });
}

async function applyMissing(url: string, output: Output): Promise<void> {
  const { applied, adopted } = await migrate(url);
  const done = new Set([...applied, ...adopted]);
  const present = migrationNames.filter((name) => !done.has(name));
  const lines = migrationNames.map((name) => {
    if (applied.includes(name)) return `${output.paint('green', 'applied')}        ${name}`;
    if (adopted.includes(name))
      return `${output.paint('green', 'adopted')}        ${name}  (was applied by hand)`;
    return `${output.paint('dim', 'already there')}  ${name}`;
  });
  if (done.size === 0) lines.push('Nothing to do: the schema is up to date.');
  output.result({ applied, adopted, present }, lines.join('\n'));
}

async function showStatus(url: string, output: Output): Promise<void> {
  const missing = await missingMigrations(url);
  const applied = migrationNames.filter((name) => !missing.includes(name));
  const lines = migrationNames.map((name) => {
    const isMissing = missing.includes(name);
    return `${isMissing ? output.paint('yellow', 'missing') : output.paint('green', 'applied')}  ${name}`;
  });
  if (missing.length > 0) lines.push('Apply what is missing with `sanctum migrate`.');
  output.result({ applied, missing }, lines.join('\n'));
}
