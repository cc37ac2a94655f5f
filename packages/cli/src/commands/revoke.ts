import { PostgresOperatorLog } from '@sanctum/messaging/adapters/postgres/operator-log';
import { Command } from 'commander';
import { UsageError } from '../cli-error.ts';
import { assertConfirmed } from '../operator/assert-confirmed.ts';
import { type StoreOptions, withStoreOptions, withStores } from '../operator/stores.ts';
import { reasonValue, userIdValue } from '../option-values.ts';
import { Output, printable } from '../output.ts';
import type { Shell } from '../shell.ts';

interface RevokeOptions extends StoreOptions {
  readonly user?: string;
  readonly sid?: string;
  readonly reason?: string;
}

const EXAMPLES = `
Examples:
  sanctum revoke --user alice --reason "lost her phone"
  sanctum revoke --sid 5f0c1d2e --yes --json

Of a user every token issued until now, of a login (sid) every token for good. Connections close with 4503 within 2 s
on every pod. It cannot be taken back: the user logs in anew.`;

/** `sanctum revoke`: ends a user's logins, or one of them. */
export function revokeCommand(shell: Shell): Command {
  return withStoreOptions(new Command('revoke'))
    .description("revoke a user's tokens issued until now, or a login's for good")
    .option('--user <user>', 'every login of this user', userIdValue)
    .option('--sid <sid>', 'this login', userIdValue)
    .option('--reason <text>', 'why, for the record', reasonValue)
    .option('--yes', 'do not ask')
    .addHelpText('after', EXAMPLES)
    .action(async (options: RevokeOptions) => {
      const { user, sid, reason } = options;
      if ((user === undefined) === (sid === undefined)) {
        throw new UsageError('give one of --user <user> and --sid <sid>');
      }
      const output = new Output(shell, options);
      const subject = (sid ?? user)!;
      const whose = `${sid === undefined ? 'user' : 'login'} ${printable(subject)}`;
      await assertConfirmed(shell, options, `Revoke ${whose}? Open connections are closed.`);
      await withStores(shell, { options, output }, async ({ pool, operator: by }) => {
        const kind = sid === undefined ? 'user' : 'login';
        const revocation = await new PostgresOperatorLog(pool).revoke({ kind, subject, reason, by });
        output.result(revocation, `revoked ${whose} at ${revocation.revoked_at}`);
      });
    });
}
