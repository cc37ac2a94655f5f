import { runCli } from './cli.ts';
import { processShell } from './shell.ts';

// `sanctum tail | head`: whoever reads has read enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

const exitCode = await runCli(process.argv.slice(2), processShell);
if (exitCode !== 0) process.exitCode = exitCode;
