import { CliError, UsageError } from '../cli-error.ts';
import { confirmed } from '../confirmed.ts';
import type { Shell } from '../shell.ts';

/** Every change asks, unless `--yes` was given; without a terminal to ask at, `--yes` is needed. */
export async function assertConfirmed(
  shell: Shell,
  options: { readonly yes?: true },
  question: string,
): Promise<void> {
  if (options.yes === true) return;
  if (shell.stdin.isTTY !== true || shell.stderr.isTTY !== true) {
    throw new UsageError('this changes something, and there is no terminal to ask at', 'Add --yes.');
  }
  if (!(await confirmed(shell, question))) throw new CliError('nothing was changed');
}
