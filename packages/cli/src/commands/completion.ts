import { Argument, Command } from 'commander';
import { completionScript, SHELLS, type CompletedShell } from '../completion.ts';
import type { Shell } from '../shell.ts';

const EXAMPLES = `
Examples:
  source <(sanctum completion bash)
  sanctum completion zsh > "\${fpath[1]}/_sanctum"

In a clone: source <(./sanctum completion bash), which completes ./sanctum too.`;

/** `sanctum completion`: what a shell needs to complete commands and options. */
export function completionCommand(shell: Shell): Command {
  const command = new Command('completion')
    .description('print a script that completes commands and options')
    .addArgument(new Argument('<shell>', 'the shell that you use').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action((name: CompletedShell) => {
      const program = command.parent;
      if (program !== null) shell.stdout.write(completionScript(program, name));
    });
  return command;
}
