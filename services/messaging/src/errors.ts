/**
 * Errors are of three kinds. An expected outcome is a returned union (ports.ts). An operating fault is a `Fault`.
 * The impossible is an `assert`, and the process ends.
 */
export type FaultCode =
  /** The server behind a port cannot be reached, is starting, failing over, or too slow. */
  | 'unavailable'
  /** Deadlock, lock timeout, serialization failure: the same call again may succeed. */
  | 'contention'
  /** One of the rows handed in can never be stored. */
  | 'bad_row'
  /** The other side answered something that this code does not know. */
  | 'unexpected';

/** An operating fault. Its message never holds what a client or operator sent. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  readonly retryable: boolean;

  constructor(code: FaultCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.retryable = code === 'unavailable' || code === 'contention';
  }
}

/** A one-line reason for a log or a metric's neighbour: a code or a class name, never a driver's message. */
export function reasonOf(error: unknown): string {
  if (error instanceof Fault) return error.code;
  if (error instanceof Error) {
    const code = (error as { code?: unknown }).code;
    return typeof code === 'string' ? code : error.name;
  }
  return 'unknown';
}
