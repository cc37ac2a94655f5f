import pg from 'pg';
import { Fault, type FaultCode } from '../../errors.ts';

/** SQLSTATEs and their classes (the first two characters), the exact one first. */
const CODES: Readonly<Record<string, FaultCode>> = {
  // deadlock, serialization failure, lock timeout
  '40P01': 'contention',
  '40001': 'contention',
  '55P03': 'contention',
  // connection exceptions; out of connections, memory or disk; shutdown, start-up, statement timeout
  '08': 'unavailable',
  '53': 'unavailable',
  '57': 'unavailable',
  // idle in a transaction for too long, and the like
  '25P03': 'unavailable',
  '25P04': 'unavailable',
  // a standby: the pool will find the primary again
  '25006': 'unavailable',
  // credentials being rotated, a database being restored
  '28': 'unavailable',
  '3D000': 'unavailable',
  // prepared statements that a pooler or a migration took away: a new connection has none
  '26000': 'unavailable',
  '42P05': 'unavailable',
  '0A000': 'unavailable',
  // what was handed in: data exceptions, constraints, limits such as JSON's depth
  '22': 'bad_row',
  '23': 'bad_row',
  '54': 'bad_row',
};

/** A fault that the server itself reported. */
export class PostgresFault extends Fault {
  readonly sqlState: string;

  constructor(code: FaultCode, sqlState: string, statement: string) {
    super(code, `postgres: ${sqlState} in ${statement}`);
    this.sqlState = sqlState;
  }
}

/**
 * A `Fault` for whatever the driver threw. It holds the SQLSTATE and the statement's name only, and no cause:
 * the server's messages and details quote rows and parameters.
 */
export function toFault(error: unknown, statement: string): Fault {
  if (error instanceof Fault) return error;
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined) {
    const code = CODES[sqlState] ?? CODES[sqlState.slice(0, 2)] ?? 'unexpected';
    return new PostgresFault(code, sqlState, statement);
  }
  // A programming error of ours would otherwise look like an outage for ever.
  if (error instanceof TypeError || error instanceof RangeError) {
    return new Fault('unexpected', `postgres: ${error.name} in ${statement}`);
  }
  return new Fault('unavailable', `postgres: connection lost or not to be had, in ${statement}`);
}

/** Whether the connection may be used again after this error: the server itself answered, and goes on. */
export function leavesConnectionUsable(error: unknown): boolean {
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined) return false;
  const code = CODES[sqlState] ?? CODES[sqlState.slice(0, 2)];
  return code === 'contention' || code === 'bad_row' || sqlState === '57014';
}

function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
