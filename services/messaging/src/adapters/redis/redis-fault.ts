import { Fault } from '../../errors.ts';

/**
 * What went wrong with a command.
 * outage: not connected, no reply in time, or Redis says that it cannot serve just now.
 * connection: the connection broke while the reply was due.
 * reply: Redis refused this very command.
 */
export type RedisFailureKind = 'outage' | 'connection' | 'reply';

/**
 * A failure of Redis. The driver's own error is never kept as its cause: that carries the command's arguments,
 * and with them ciphertext, into whatever prints it.
 */
export class RedisFault extends Fault {
  readonly kind: RedisFailureKind;
  /** A code such as `OOM` or `TIMEOUT`. */
  readonly reason: string;

  constructor(kind: RedisFailureKind, reason: string) {
    super(kind === 'reply' ? 'unexpected' : 'unavailable', `redis: ${reason}`);
    this.kind = kind;
    this.reason = reason;
  }
}

/**
 * Replies that speak of the server, the account or the whole stream, never of one entry. Taking one of these
 * for the entry's fault would spend attempts, and in the end bury rows, during an outage.
 */
const SERVER_CONDITIONS: ReadonlySet<string> = new Set([
  'LOADING',
  'READONLY',
  'OOM',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'BUSY',
  'UNKILLABLE',
  'NOREPLICAS',
  'MISCONF',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'CROSSSLOT',
  'NOAUTH',
  'NOPERM',
  'WRONGPASS',
  'DENIED',
  'NOPROTO',
  'WRONGTYPE',
]);
/** The same among replies that only say `ERR`. */
const SERVER_CONDITION_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/max number of clients/i, 'MAX_CLIENTS'],
  [/exhausted the last possible id/i, 'IDS_EXHAUSTED'],
  [/unknown (?:redis )?(?:sub)?command/i, 'UNKNOWN_COMMAND'],
  // What an account may not do inside a script: Redis 7.0, then 7.2 and later.
  [/the user executing the script|acl failure in script/i, 'NOPERM'],
];

/** The text of an error reply, as a fault. */
export function replyFault(text: string): RedisFault {
  const code = /^[A-Z][A-Z0-9_]*(?= |$)/.exec(text)?.[0] ?? 'ERR';
  // Redis' last words before it hangs up: something of what was sent is beyond its limits.
  if (text.startsWith('ERR Protocol error')) return new RedisFault('connection', 'PROTOCOL');
  if (SERVER_CONDITIONS.has(code)) return new RedisFault('outage', code);
  if (code === 'ERR') {
    const condition = SERVER_CONDITION_TEXTS.find(([pattern]) => pattern.test(text));
    if (condition !== undefined) return new RedisFault('outage', condition[1]);
  }
  return new RedisFault('reply', code);
}

/** Whatever the driver threw, as a fault. */
export function toRedisFault(error: unknown): RedisFault {
  if (error instanceof RedisFault) return error;
  if (error instanceof Error && error.name === 'ReplyError') return replyFault(error.message);
  return new RedisFault('connection', 'CLOSED');
}
