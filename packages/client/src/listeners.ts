import type {
  Gap,
  MembershipChange,
  OutgoingMessage,
  ReceivedMessage,
  Refusal,
  Reset,
  Status,
} from './receiving/events.ts';
import { type SanctumError, sanctumError } from './sanctum-error.ts';

/**
 * What can be listened for. Listeners of the first group run before the cursor is stored, in its transaction, one
 * event at a time: what they write with `tx` is stored with the cursor or not at all, and where one fails the event
 * is handed on again after a pause.
 */
export interface Events<Tx> {
  message: [message: ReceivedMessage, tx: Tx];
  gap: [gap: Gap, tx: Tx];
  member: [change: MembershipChange, tx: Tx];
  reset: [reset: Reset, tx: Tx];
  refused: [refusal: Refusal, tx: Tx];
  /** Everything that there was when the connection began has been handed on. */
  caughtUp: [];
  status: [status: Status];
  /** A message of this client was queued, has got its place, or was refused. */
  outgoing: [message: OutgoingMessage];
  /**
   * Trouble that is being dealt with: a listener or a storage that failed, a token callback that throws, messages that
   * do not get through. Where nobody listens for it, it is written to the console.
   */
  error: [error: SanctumError];
}

export type Listener<Tx, K extends keyof Events<Tx>> = (...args: Events<Tx>[K]) => void | Promise<void>;

/** Who listens for what. */
export class Listeners<Tx> {
  readonly #byName: { [K in keyof Events<Tx>]?: Set<Listener<Tx, K>> } = {};

  /** @returns what ends it */
  add<K extends keyof Events<Tx>>(name: K, listener: Listener<Tx, K>): () => void {
    // Wrapped, so that the same function can be added twice and removed once.
    const own: Listener<Tx, K> = (...args) => listener(...args);
    const set: Set<Listener<Tx, K>> = (this.#byName[name] ??= new Set<never>());
    set.add(own);
    return () => void set.delete(own);
  }

  has(name: keyof Events<Tx>): boolean {
    return Boolean(this.#byName[name]?.size);
  }

  /** Calls them one after another and waits for each. @throws SanctumError `listener_failed` for the first that does */
  async call<K extends keyof Events<Tx>>(name: K, ...args: Events<Tx>[K]): Promise<void> {
    try {
      for (const listener of [...(this.#byName[name] ?? [])]) await listener(...args);
    } catch (cause) {
      throw sanctumError(cause, 'listener_failed', 'a listener failed');
    }
  }

  /** Tells them, and waits for nobody. What one throws is nobody else's trouble: it is an unhandled rejection. */
  tell<K extends keyof Events<Tx>>(name: K, ...args: Events<Tx>[K]): void {
    // Trouble that nobody hears of looks like a client that does nothing.
    if (name === 'error' && !this.has(name)) console.error(...args);
    for (const listener of [...(this.#byName[name] ?? [])]) void (async () => listener(...args))();
  }
}
