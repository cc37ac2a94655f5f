import { createLog } from './adapters/pino-log.ts';
import { migrate, MigrationError, missingMigrations } from './adapters/postgres/migrate.ts';
import { ConfigError, loadConfig } from './config.ts';
import { Fault, reasonOf } from './errors.ts';
import { startServer } from './server.ts';

/** `--migrate` applies what migrations are missing; without it a database that lacks some stops the start. */
async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const log = createLog(config.logLevel, { pod: config.consumer.name });
  for (const warning of config.warnings) log.warn('config_warning', { warning });

  if (process.argv.includes('--migrate')) await migrate(config.postgres.url, { log });
  else {
    const missing = await missingMigrations(config.postgres.url);
    if (missing.length > 0) {
      log.error('migrations_missing', { missing, remedy: 'run `sanctum migrate`, or start with --migrate' });
      process.exit(1);
    }
  }
  const starting = startServer(config, log);
  const stop = (signal: NodeJS.Signals) => {
    log.info('signal_received', { signal });
    // Whatever hangs, the pod ends before its orchestrator kills it.
    setTimeout(() => {
      log.error('shutdown_forced');
      process.exit(1);
    }, config.shutdownGraceMs).unref();
    // During the start too: what has begun is drained as it would be later.
    void starting
      .then((server) => server.stop())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await starting;
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError) for (const line of error.lines) process.stderr.write(`${line}\n`);
  else if (error instanceof MigrationError || error instanceof Fault) {
    process.stderr.write(`the service could not start: ${error.message}\n`);
  } else process.stderr.write(`the service could not start: ${reasonOf(error)}\n`);
  process.exit(1);
});
