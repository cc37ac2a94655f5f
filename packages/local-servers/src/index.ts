/**
 * Real PostgreSQL and Redis on this machine: found, fetched when missing, started on a free port, and never
 * left behind. `npm start`, the tests and the benchmarks all stand on these few functions.
 */
export type { Progress } from './cache.ts';
export { cacheDir, stateDir, workspaceDir } from './cache.ts';
export { ensureChromium } from './chromium.ts';
export { freePort, portIsFree } from './free-port.ts';
export { ensurePostgres, type PostgresBinaries } from './postgres-binaries.ts';
export { isRunning, processIdentity, signalProcess } from './processes.ts';
export { ensurePrometheus, type PrometheusBinaries } from './prometheus-binaries.ts';
export { ensureKubectl } from './kubectl.ts';
export { ensurePostgresTool, ensurePsql, type PostgresTool } from './psql.ts';
export { ensureRedis, type RedisBinaries } from './redis-binaries.ts';
export { ServerProcess, type ServerProcessOptions } from './server-process.ts';
export { startPostgres, type PostgresOptions, type PostgresServer } from './start-postgres.ts';
export { startRedis, type RedisOptions, type RedisServer } from './start-redis.ts';
