import type { CursorBook } from '@sanctum/client';
import type { ReadyFrame, ResetFrame } from '@sanctum/protocol';
import { CliError } from '../cli-error.ts';
import type { After } from '../option-values.ts';
import type { Link } from './link.ts';

/** Following one conversation: on each connection it is asked for again, behind what is there already. */
export class Subscription {
  readonly #book: CursorBook;
  readonly #conversationId: string;
  readonly #after: After;
  #wasSeated = false;

  constructor(book: CursorBook, target: { readonly conversationId: string; readonly after: After }) {
    this.#book = book;
    this.#conversationId = target.conversationId;
    this.#after = target.after;
  }

  ask(link: Link): void {
    const conversation_id = this.#conversationId;
    // Once there was a place, losing it must not lose messages: begin where it begins.
    const after = this.#cursor ?? (this.#wasSeated ? 'start' : this.#after);
    link.send({ type: 'subscribe', id: 'follow', conversations: [{ conversation_id, after }] });
  }

  seated(): void {
    this.#wasSeated = true;
  }

  /** No cursor goes with this `hello`, so the server cannot tell that the log was set back: its epoch does. */
  resetAt({ epoch }: ReadyFrame): ResetFrame | undefined {
    if (this.#cursor === undefined || this.#book.epoch === epoch) return undefined;
    return this.#reset(epoch, 'epoch');
  }

  refused(code: string): { kind: 'stop'; error: CliError } | { kind: 'again'; reset: ResetFrame } {
    if (
      code === 'cursor_ahead' &&
      this.#wasSeated &&
      this.#book.cursorOf(this.#conversationId) !== undefined
    ) {
      return { kind: 'again', reset: this.#reset(this.#book.epoch ?? 0, 'cursor_ahead') };
    }
    return { kind: 'stop', error: this.#refusal(code) };
  }

  /** The user is no member any more: nothing of it will ever come on this connection. */
  lost(): CliError {
    return new CliError('you were removed from this conversation: nothing more will come');
  }

  get #cursor(): number | undefined {
    return this.#book.cursorOf(this.#conversationId);
  }

  #refusal(code: string): CliError {
    if (code === 'conversation_not_found') {
      return new CliError(
        'there is no such conversation, or this user is not a member of it',
        'Whoever follows must be a member, or have a token with the scope messaging:operate.',
      );
    }
    if (code === 'cursor_ahead') {
      return new CliError(
        'the conversation does not reach that seq yet',
        'Begin earlier: --after head, or start.',
      );
    }
    return new CliError(`the server does not serve this conversation (${code})`);
  }

  #reset(epoch: number, reason: ResetFrame['reason']): ResetFrame {
    return { type: 'reset', conversation_id: this.#conversationId, epoch, reason };
  }
}
