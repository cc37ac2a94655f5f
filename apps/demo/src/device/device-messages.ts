import type { Marks } from '../content.ts';

/** What page and device tell each other. A device is a worker: see worker.ts. */
export type Command =
  | { readonly kind: 'start'; readonly options: DeviceOptions }
  | { readonly kind: 'network'; readonly online: boolean }
  | { readonly kind: 'send'; readonly conversationId: string; readonly texts: readonly string[] }
  | { readonly kind: 'read'; readonly conversationId: string; readonly seq: number }
  | { readonly kind: 'learn'; readonly key: ConversationKey }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question };

export interface DeviceOptions {
  /** Of the service, as `http://127.0.0.1:8083`. */
  readonly url: string;
  readonly userId: string;
  readonly name: string;
  readonly online: boolean;
  readonly keys: readonly ConversationKey[];
}

export interface ConversationKey {
  readonly conversationId: string;
  /** 32 bytes, as base64. */
  readonly secret: string;
}

/** What is answered once it is done. */
export type Question =
  | { readonly kind: 'create'; readonly conversationId: string; readonly members: readonly string[] }
  | { readonly kind: 'add'; readonly conversationId: string; readonly userId: string };

export type Report =
  | { readonly kind: 'message'; readonly message: ShownMessage }
  | ({
      readonly kind: 'marks';
      readonly conversationId: string;
      readonly userId: string;
      readonly name: string;
    } & Marks)
  | { readonly kind: 'outgoing'; readonly message: OutgoingText }
  /** The log was set back: what is shown of this conversation is void, and comes again. */
  | { readonly kind: 'reset'; readonly conversationId: string }
  /** What came from the server, also where there is nothing to show of it. */
  | { readonly kind: 'wire'; readonly wire: Wire; readonly inside: string }
  | { readonly kind: 'status'; readonly status: DeviceStatus }
  | { readonly kind: 'trouble'; readonly text: string }
  | { readonly kind: 'answer'; readonly id: number; readonly error: string | undefined };

export type DeviceStatus = 'starting' | 'connecting' | 'catching_up' | 'online' | 'waiting' | 'stopped';

/** A message as it stands in the conversation; stored like this. */
export interface ShownMessage {
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly sender: string;
  readonly occurredAt: string;
  /** `lost`: there is none at this place, or it cannot be read; the text says so. */
  readonly kind: 'text' | 'lost';
  readonly name: string;
  readonly text: string;
  readonly wire: Wire | undefined;
}

/** On its way to the server. */
export interface OutgoingText {
  readonly conversationId: string;
  readonly messageId: string;
  readonly text: string;
  readonly createdAt: number;
  readonly state: 'queued' | 'sent' | 'refused';
  /** Why it was refused. */
  readonly reason: string | undefined;
}

/** A message as the server keeps it: all of it. */
export interface Wire {
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly sender: string;
  readonly occurredAt: string;
  readonly scheme: string;
  readonly keyId: string;
  /** base64 */
  readonly ciphertext: string;
}
