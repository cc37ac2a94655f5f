import type { Socket } from 'node:net';
import pg from 'pg';
import { silentLog, type Log } from '../../log.ts';
import { leavesConnectionUsable, PostgresFault, toFault } from './faults.ts';
import { numericTypes } from './types.ts';

/** How long one call of a reader may take, waiting for a connection included. */
export const READ_TIMEOUT_MS = 5_000;
/** The same for changes of conversations; their functions wait for a lock for less, and say so. */
export const CHANGE_TIMEOUT_MS = 5_000;
/** The same for intake: a client waits for its `201`. */
export const INTAKE_TIMEOUT_MS = 2_000;
/** The same for an operator's work, such as partitions to be made. */
export const OPERATIONS_TIMEOUT_MS = 60_000;
/** A connection that nobody used for so long is closed. */
const IDLE_CONNECTION_MS = 60_000;
/** A session that stays inside a transaction for so long, doing nothing, is ended by the server. */
const IDLE_IN_TRANSACTION_MS = 10_000;
/** After so much silence the kernel asks whether the other host still lives. */
const KEEPALIVE_DELAY_MS = 10_000;

/** A prepared statement: parsed and planned once for each connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface PoolOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly maxConnections: number;
  /** A call that takes longer rejects with `unavailable`, and its connection is destroyed. */
  readonly callTimeoutMs: number;
  readonly log?: Log;
}

/**
 * Connections to the primary. Whatever the server does, frozen or gone, a call ends within `callTimeoutMs`
 * and rejects with a `Fault`; a connection on which something was left unanswered is never used again.
 */
export class PostgresPool {
  readonly #pool: pg.Pool;
  readonly #callTimeoutMs: number;

  constructor(options: PoolOptions) {
    const log = options.log ?? silentLog;
    this.#callTimeoutMs = options.callTimeoutMs;
    this.#pool = new pg.Pool({
      ...withSettings(options.url, settingsFor(options.callTimeoutMs)),
      application_name: options.applicationName,
      max: options.maxConnections,
      connectionTimeoutMillis: options.callTimeoutMs,
      idleTimeoutMillis: IDLE_CONNECTION_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      types: numericTypes,
      Client: PrimaryClient,
      // The statements of one transaction whose answers are not needed for the next go out together.
      pipeline: true,
    });
    // A connection that is lost while nothing runs on it has nobody else to tell.
    this.#pool.on('error', (error) =>
      log.warn('postgres_connection_lost', { reason: toFault(error, 'idle').code }),
    );
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** Runs one statement. `R` is what a row looks like. */
  async query<R extends object>(statement: Statement, values: readonly unknown[] = []): Promise<R[]> {
    return this.session((session) => session.query<R>(statement, values));
  }

  /**
   * One connection for several statements. What `work` itself throws passes through as it is. `signal` ends what is
   * under way, on this side at least.
   */
  async session<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const deadline = performance.now() + this.#callTimeoutMs;
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw toFault(error, 'connect');
    }
    const session = new Session(client, { firstDeadline: deadline, callTimeoutMs: this.#callTimeoutMs });
    const giveUp = () => session.destroy();
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      signal?.throwIfAborted();
      return await work(session);
    } finally {
      signal?.removeEventListener('abort', giveUp);
      client.release(session.broken);
    }
  }

  /** Lets running calls end, and closes all connections. */
  async end(): Promise<void> {
    await this.#pool.end();
  }
}

/** One connection, held. Each statement is bounded by the pool's `callTimeoutMs`. */
export class Session {
  readonly #client: pg.PoolClient;
  readonly #callTimeoutMs: number;
  /** Waiting for the connection counts as part of the first statement. */
  #firstDeadline: number | undefined;
  #broken = false;

  constructor(client: pg.PoolClient, options: { firstDeadline: number; callTimeoutMs: number }) {
    this.#client = client;
    this.#callTimeoutMs = options.callTimeoutMs;
    this.#firstDeadline = options.firstDeadline;
  }

  /** The state of the connection is not known: it must not be used again. */
  get broken(): boolean {
    return this.#broken;
  }

  async query<R extends object>(statement: Statement, values: readonly unknown[] = []): Promise<R[]> {
    const result = await this.#run(statement.name, { ...statement, values: values as unknown[] });
    return result.rows as R[];
  }

  /** As `query`, for a statement that changes rows: how many it changed. */
  async execute(statement: Statement, values: readonly unknown[] = []): Promise<number> {
    const result = await this.#run(statement.name, { ...statement, values: values as unknown[] });
    return result.rowCount ?? 0;
  }

  /** Text without parameters, several statements perhaps, such as BEGIN with its settings. */
  async command(text: string): Promise<void> {
    await this.#run('command', { text });
  }

  /**
   * Runs `work` inside a transaction that begins with `begin`. When it throws, or the connection does,
   * everything is rolled back. Work commits by itself, with `command('COMMIT')`, so that this can travel
   * with its last statement.
   */
  async transaction<T>(begin: string, work: () => Promise<T>): Promise<T> {
    // Not awaited: it travels with the first statement of `work`, whose own failure tells as much.
    const begun = this.command(begin);
    begun.catch(() => undefined);
    try {
      const [result] = await Promise.all([work(), begun]);
      return result;
    } catch (error) {
      if (!this.#broken) await this.command('ROLLBACK').catch(() => this.destroy());
      throw error;
    }
  }

  async #run(name: string, config: pg.QueryConfig): Promise<pg.QueryResult> {
    const limit =
      this.#firstDeadline === undefined ? this.#callTimeoutMs : this.#firstDeadline - performance.now();
    this.#firstDeadline = undefined;
    const timer = setTimeout(() => this.destroy(), Math.max(limit, 1));
    this.#gather();
    try {
      return await this.#client.query(config);
    } catch (error) {
      if (!leavesConnectionUsable(error)) this.#broken = true;
      throw toFault(error, name);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Statements that are sent in the same turn leave in one write: each write costs more than its statement. */
  #gather(): void {
    const socket = socketOf(this.#client);
    socket.cork();
    process.nextTick(() => socket.uncork());
  }

  /** Ends what is under way with an error. `end()` would wait for a server that does not answer. */
  destroy(): void {
    this.#broken = true;
    socketOf(this.#client).destroy();
  }
}

/** Heads and rows come from the primary: a standby that was reached by mistake, or in a failover, is refused. */
class PrimaryClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    const refuse = (message: { parameterName: string; parameterValue: string }) => {
      if (message.parameterName !== 'in_hot_standby' || message.parameterValue !== 'on') return;
      socketOf(this).destroy(new PostgresFault('unavailable', '25006', 'connect: this server is a standby'));
    };
    (this as unknown as WithConnection).connection.on('parameterStatus', refuse);
  }
}

interface WithConnection {
  readonly connection: pg.Connection;
}

function socketOf(client: pg.Client | pg.PoolClient): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}

/**
 * Set as the session starts, at no cost in round trips. Behind PgBouncer put `options` into its
 * `ignore_startup_parameters` and set these on the role (`ALTER ROLE … SET …`).
 */
function settingsFor(callTimeoutMs: number): Record<string, string | number> {
  return {
    // Every query here has its index and starts from few rows. A plan made while the tables were empty must not
    // read all of one, or all of its index for a join, once they are not.
    enable_seqscan: 'off',
    enable_hashjoin: 'off',
    enable_mergejoin: 'off',
    enable_material: 'off',
    // … and the price that this puts on a plan must not look like a reason to compile it, or for more processes.
    jit: 'off',
    max_parallel_workers_per_gather: 0,
    // Plans do not depend on the values, and planning over a month of partitions costs more than running.
    plan_cache_mode: 'force_generic_plan',
    // append_messages() counts on a new snapshot for each statement.
    default_transaction_isolation: 'read committed',
    statement_timeout: callTimeoutMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    datestyle: 'ISO',
    timezone: 'UTC',
  };
}

/** The driver lets a URL's own `options` replace ours: they go behind them instead, where they win. */
function withSettings(
  url: string,
  settings: Record<string, string | number>,
): { connectionString: string; options: string } {
  const ours = Object.entries(settings).map(
    ([name, value]) => `-c ${name}=${String(value).replaceAll(' ', '\\ ')}`,
  );
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const theirs = parsed?.searchParams.get('options');
  if (parsed === undefined || theirs == null) return { connectionString: url, options: ours.join(' ') };
  parsed.searchParams.delete('options');
  return { connectionString: parsed.href, options: [...ours, theirs].join(' ') };
}
