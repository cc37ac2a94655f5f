import type { Sealed } from '../cipher.ts';
import type { SanctumError } from '../sanctum-error.ts';

interface MessageBase {
  readonly conversationId: string;
  /** Its place in the conversation, from 1. */
  readonly seq: number;
  /** The same in every repeat. */
  readonly messageId: string;
  /** The user id; undefined in an operator's row that names none. */
  readonly sender: string | undefined;
  /** Sent by this user, from this device or another. */
  readonly own: boolean;
  /** When it was accepted: RFC 3339 in UTC. */
  readonly occurredAt: string;
  readonly eventType: string;
  /** It was announced as dead before and comes out of order: its place is `seq`, not the end. */
  readonly late: boolean;
}

/** A message, and what the cipher made of it. One that cannot be read is handed on all the same. */
export type ReceivedMessage = MessageBase &
  (
    | {
        readonly readable: true;
        readonly content: Uint8Array;
        /** The content as UTF-8. */
        readonly text: string;
      }
    | {
        readonly readable: false;
        /** `no_ciphertext`: an operator's row that holds none. */
        readonly reason: 'cannot_decrypt' | 'no_ciphertext';
        /** What the cipher threw. */
        readonly error: unknown;
        /** What can be tried again once the key is there: see `Client.decrypt`. */
        readonly sealed: Sealed | undefined;
      }
  );

/** Messages that are not there, announced by the server. */
export interface Gap {
  readonly conversationId: string;
  /** The first and the last `seq`. */
  readonly from: number;
  readonly to: number;
  /** `dead_letter` (may come later, marked `late`), `retention`, `not_member`, `missing`, or a newer one. */
  readonly reason: string;
}

/** This user was added to a conversation, or removed from it. */
export interface MembershipChange {
  readonly conversationId: string;
  readonly change: 'added' | 'removed';
  /** The last `seq` before the change. */
  readonly head: number;
}

/** What was known of the place in a conversation means nothing any more: it is read anew. */
export interface Reset {
  readonly conversationId: string;
}

/** The server does not serve a conversation to this user, or not any more. */
export interface Refusal {
  readonly conversationId: string;
  readonly code: string;
}

export type Status =
  /** There is no connection yet: nobody listens for messages, or the first token has not come. */
  | { readonly state: 'idle' }
  | { readonly state: 'connecting' }
  /** `caughtUp`: everything that there was when it connected has been handed on. */
  | { readonly state: 'online'; readonly caughtUp: boolean }
  | { readonly state: 'waiting'; readonly retryInMs: number; readonly why: string }
  /**
   * For good. `login_required`, or `revoked`, `token_invalid` and `token_missing` where a message was refused for it first:
   * `close` it, then connect anew with another token.
   */
  | { readonly state: 'stopped'; readonly error: SanctumError };

/** A message of this client on its way: what a page shows at once. */
export interface OutgoingMessage {
  readonly conversationId: string;
  readonly messageId: string;
  /** When it was written, in milliseconds since 1970. */
  readonly createdAt: number;
  /** undefined after a restart, where the cipher cannot open what it sealed. */
  readonly content: Uint8Array | undefined;
  /** `sent` brings its place; `refused` is over, and says why. */
  readonly state:
    | { readonly kind: 'queued' }
    | { readonly kind: 'sent'; readonly seq: number }
    | { readonly kind: 'refused'; readonly error: SanctumError };
}
