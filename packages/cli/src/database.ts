import { Fault } from '@sanctum/messaging/errors';
import { PostgresFault } from '@sanctum/messaging/adapters/postgres/faults';
import { CliError, errorCodeOf, isUnreachable, UsageError } from './cli-error.ts';
import type { Output } from './output.ts';
import { given, type Shell } from './shell.ts';

/** The database that is meant: `--postgres-url`, else the environment's. */
export function postgresUrl(
  shell: Pick<Shell, 'env'>,
  options: { readonly postgresUrl?: string | undefined },
  output: Pick<Output, 'note'>,
): string {
  const [first, second] = [given(shell.env, 'POSTGRES_URL'), given(shell.env, 'DATABASE_URL')];
  const url = options.postgresUrl ?? first ?? second;
  if (url === undefined) {
    throw new UsageError(
      'no database: give --postgres-url, or set POSTGRES_URL (or DATABASE_URL)',
      '`npm start` prints the address of the PostgreSQL that it runs.',
    );
  }
  if (!isPostgresUrl(url)) throw new UsageError('the address of the database must begin with postgres://');
  if (options.postgresUrl === undefined && first !== undefined && second !== undefined && first !== second) {
    output.note('POSTGRES_URL and DATABASE_URL are both set and differ: POSTGRES_URL is used');
  }
  return url;
}

/** Whether a database is named at all, rightly or wrongly. */
export function postgresIsNamed(
  { env }: Pick<Shell, 'env'>,
  options: { readonly postgresUrl?: string | undefined },
): boolean {
  return (options.postgresUrl ?? given(env, 'POSTGRES_URL') ?? given(env, 'DATABASE_URL')) !== undefined;
}

/** Runs `work`; what the database refuses is told in words, without its password. */
export async function withDatabase<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explained(error, new URL(url));
  }
}

function explained(error: unknown, url: URL): unknown {
  const at = `${url.hostname || 'localhost'}:${url.port || '5432'}`;
  if (isAway(error)) {
    return new CliError(
      `no PostgreSQL to be had at ${at}`,
      'Start it, or name another one with --postgres-url.',
    );
  }
  const code = error instanceof PostgresFault ? error.sqlState : errorCodeOf(error);
  return refusal(code ?? '', { at, database: decodeURIComponent(url.pathname.slice(1)) }) ?? error;
}

/** Not there, or not answering: as opposed to a server that says no. */
function isAway(error: unknown): boolean {
  if (error instanceof PostgresFault) return false;
  if (error instanceof Fault) return error.code === 'unavailable';
  // The driver knows these two by their texts alone.
  const isCut = error instanceof Error && /timeout expired|Connection terminated/.test(error.message);
  return isCut || isUnreachable(error);
}

function refusal(sqlState: string, { at, database }: { at: string; database: string }): CliError | undefined {
  if (sqlState.startsWith('28')) return new CliError(`PostgreSQL at ${at} refuses this user or password`);
  switch (sqlState) {
    case '3D000':
      return new CliError(
        `PostgreSQL at ${at} has no database ${JSON.stringify(database)}`,
        'Create it first, with createdb.',
      );
    case '42P01':
    case '3F000':
      return new CliError('this database has no Sanctum schema yet', 'Make it with `sanctum migrate`.');
    case '42501':
      return new CliError(
        `this user may not do that in PostgreSQL at ${at}`,
        'Use the role that owns the schema.',
      );
    case '53300':
      return new CliError(
        `PostgreSQL at ${at} has no connection left for this user`,
        'End some (pg_stat_activity lists them), or raise max_connections, or the limit of the role or database.',
      );
    case '57P01':
    case '57P03':
      return new CliError(
        `PostgreSQL at ${at} is starting, recovering or shutting down`,
        'Wait until it takes connections; its log says how far it is.',
      );
    case '25006':
      return new CliError(`PostgreSQL at ${at} is a standby`, 'Name the primary.');
    default:
      return undefined;
  }
}

function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(?:ql)?:$/.test(new URL(text).protocol);
}
