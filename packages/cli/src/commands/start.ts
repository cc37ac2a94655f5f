import { stateDir } from '@sanctum/local-servers';
import { Command } from 'commander';
import path from 'node:path';
import { LocalStack } from '../start/local-stack.ts';
import { consoleLink } from '../start/console-link.ts';
import { readyText } from '../start/ready-text.ts';
import { RunFile } from '../start/run-file.ts';

/** `sanctum start`: the whole pipeline on this machine, until Ctrl-C. */
export function startCommand(): Command {
  return new Command('start')
    .description('run the whole pipeline on this machine, with a PostgreSQL and a Redis of its own')
    .option('--json', 'print the addresses as JSON once everything is ready')
    .addHelpText('after', '\nEvery setting of the service may be given in the environment, and wins.')
    .action(async (options: { json?: true }) => {
      const progress = (line: string): void => void process.stderr.write(`• ${line}\n`);
      const runFile = await RunFile.take(path.join(stateDir, 'run.json'));
      const stack = new LocalStack(runFile, progress);
      stack.stopOnSignals();
      try {
        const urls = await stack.start();
        process.stdout.write(
          options.json === true
            ? `${JSON.stringify({ pid: process.pid, urls })}\n`
            : readyText(urls, { logFile: stack.serviceLog, consoleLink: await consoleLink(urls.admin) }),
        );
        process.exitCode = await stack.untilStopped();
      } catch (error) {
        await stack.stop();
        if (!stack.stopWanted) throw error;
      }
    });
}
