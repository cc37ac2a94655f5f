import { CLOSE, CURSORS_TIMEOUT_MS, type CursorEntry, HELLO_TIMEOUT_MS } from '@sanctum/protocol';
import type { ParsedClientFrame, ParsedHelloFrame } from '@sanctum/protocol/schemas';
import type { Timer } from '../clock.ts';
import { Credit } from './credit.ts';
import { openSession } from './opening.ts';
import type { Session } from './session.ts';
import { CLOSE_OF_REFUSAL } from './token.ts';

/** Cursors that one connection may bring: twice the conversations that a user can have. */
const CURSORS_MAX = 20_000;
/** From hello to ready; the log may be away for this long before the client is told to try later. */
const OPENING_MAX_MS = 10_000;

/** What comes before `ready`: hello, cursors and the token, each within its time. */
export class Handshake {
  readonly #session: Session;
  readonly #headerToken: string | undefined;
  #deadline: Timer;
  #opened = false;

  constructor(session: Session, headerToken: string | undefined) {
    this.#session = session;
    this.#headerToken = headerToken;
    this.#deadline = this.#within(HELLO_TIMEOUT_MS, () => session.close(CLOSE.hello_timeout));
  }

  /** Verifies the token of the upgrade before anything else is read. */
  async authenticateHeader(): Promise<void> {
    if (this.#headerToken !== undefined) await this.#authenticate(this.#headerToken);
  }

  async greet({ token, cursors, ...hello }: ParsedHelloFrame): Promise<void> {
    const session = this.#session;
    session.state = hello.more ? 'cursors' : 'opening';
    session.hello = hello;
    if (token !== undefined && this.#headerToken !== undefined) return session.close(CLOSE.bad_frame);
    this.#deadline.cancel();
    this.#deadline = this.#within(CURSORS_TIMEOUT_MS, () => session.close(CLOSE.hello_timeout));
    session.out.credit = new Credit(hello.credit);
    if (!this.#take(cursors)) return session.close(CLOSE.bad_frame);
    await this.#authenticate(this.#headerToken ?? token);
    // More of them, the last perhaps, may have come while the token was verified.
    if ((session.state as string) === 'opening') await this.#open();
  }

  async addCursors({ cursors, more }: Extract<ParsedClientFrame, { type: 'cursors' }>): Promise<void> {
    if (!this.#take(cursors)) return this.#session.close(CLOSE.bad_frame);
    if (!more) await this.#open();
  }

  end(): void {
    this.#deadline.cancel();
  }

  #take(entries: readonly CursorEntry[]): boolean {
    const { cursors } = this.#session;
    for (const [conversationId, seq] of entries) {
      if (cursors.has(conversationId) || cursors.size >= CURSORS_MAX) return false;
      cursors.set(conversationId, seq);
    }
    return true;
  }

  /** Closes the session where the token is no good. */
  async #authenticate(token: string | undefined): Promise<void> {
    const session = this.#session;
    const refusal = await session.login.take(token);
    if (session.state === 'closed' || refusal === undefined) return;
    session.sendError(refusal);
    session.close(
      CLOSE_OF_REFUSAL[refusal],
      refusal === 'unavailable' ? session.hub.retryHintMs() : undefined,
    );
  }

  async #open(): Promise<void> {
    const session = this.#session;
    session.state = 'opening';
    this.#deadline.cancel();
    this.#deadline = this.#within(OPENING_MAX_MS, () =>
      session.close(CLOSE.try_later, session.hub.retryHintMs()),
    );
    // The last cursors may come while the token is still being verified, or when only the upgrade's was.
    if (session.token === undefined || this.#opened) return;
    this.#opened = true;
    await openSession(session);
    this.#deadline.cancel();
  }

  #within(ms: number, late: () => void): Timer {
    return this.#session.hub.clock.setTimer(ms, late);
  }
}
