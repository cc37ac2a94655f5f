import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';
import { EXIT_OK, UsageError } from './cli-error.ts';
import { completionCommand } from './commands/completion.ts';
import { pauseCommand, resumeCommand } from './commands/controls.ts';
import { deadLettersCommand } from './commands/dead-letters.ts';
import { doctorCommand } from './commands/doctor.ts';
import { epochCommand } from './commands/epoch.ts';
import { migrateCommand } from './commands/migrate.ts';
import { partitionsCommand } from './commands/partitions.ts';
import { pruneCommand } from './commands/prune.ts';
import { replayCommand } from './commands/replay.ts';
import { revokeCommand } from './commands/revoke.ts';
import { rolloutCommand } from './commands/rollout.ts';
import { sendCommand } from './commands/send.ts';
import { startCommand } from './commands/start.ts';
import { statusCommand } from './commands/status.ts';
import { tailCommand } from './commands/tail.ts';
import { tokenCommand } from './commands/token.ts';
import { traceCommand } from './commands/trace.ts';
import { Output } from './output.ts';
import type { Shell } from './shell.ts';

const HELP_WIDTH = 100;

/**
 * Runs one command line, without the program's own name; returns the exit code. A command that sets
 * `process.exitCode` itself is left its way.
 */
export async function runCli(args: readonly string[], shell: Shell): Promise<number> {
  const program = buildProgram(shell);
  const output = new Output(shell, { json: args.includes('--json') });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof CommanderError)) return output.failure(error);
    if (error.exitCode === 0) return EXIT_OK;
    const named = program.commands.some((command) => command.name() === args[0]) ? ` ${args[0]}` : '';
    const usage = error.code === 'commander.help' ? 'say what to do' : error.message.replace(/^error: /, '');
    return output.failure(new UsageError(usage, `See \`sanctum${named} --help\`.`));
  }
}

/** Every command there is, in the order in which a newcomer needs them. */
export function buildProgram(shell: Shell): Command {
  const program = new Command('sanctum')
    .description('Sanctum Messaging: run it, look into it, and operate it')
    .version(version(), '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void shell.stdout.write(text),
      writeErr: (text) => void shell.stderr.write(text),
      getOutHelpWidth: () => shell.stdout.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => shell.stderr.columns ?? HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // runCli says it, in the form that was asked for.
      outputError: () => undefined,
    })
    .addHelpText(
      'after',
      '\nExit code: 0, 1 (failed) or 2 (wrong usage). With --json, results are for programs.',
    );
  for (const command of [
    startCommand(),
    migrateCommand(shell),
    tokenCommand(shell),
    sendCommand(shell),
    tailCommand(shell),
    statusCommand(shell),
    doctorCommand(shell),
    traceCommand(shell),
    deadLettersCommand(shell),
    replayCommand(shell),
    pauseCommand(shell),
    resumeCommand(shell),
    revokeCommand(shell),
    pruneCommand(shell),
    partitionsCommand(shell),
    rolloutCommand(shell),
    epochCommand(shell),
    completionCommand(shell),
  ]) {
    program.addCommand(inherit(command, program));
  }
  return program;
}

/** A command that was made alone gets its parent's ways, and so do its own commands. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
