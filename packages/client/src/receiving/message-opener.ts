import { decodeBase64, type MessageFrame } from '@sanctum/protocol';
import type { Cipher, MessageContext, Sealed } from '../cipher.ts';
import type { StorageTransaction } from '../storage/storage.ts';
import type { ReceivedMessage } from './events.ts';

export interface OpenedMessage<Tx> {
  readonly message: ReceivedMessage;
  /** A message of the cipher's own, which the application does not see. */
  readonly isHidden: boolean;
  readonly store: ((tx: Tx) => void | Promise<void>) | undefined;
}

const utf8 = new TextDecoder();

/** Makes messages of message frames. Never rejects: what cannot be read is said in the message. */
export class MessageOpener<Tx extends StorageTransaction> {
  readonly #cipher: Cipher<Tx>;
  readonly #userId: string;

  constructor(cipher: Cipher<Tx>, userId: string) {
    this.#cipher = cipher;
    this.#userId = userId;
  }

  async open(frame: MessageFrame, late = false): Promise<OpenedMessage<Tx>> {
    const sealed = sealedOf(frame.payload);
    const sender = textOf(fieldsOf(frame.payload).sender);
    const base = {
      conversationId: frame.conversation_id,
      seq: frame.seq,
      messageId: frame.message_id,
      sender,
      own: sender === this.#userId,
      occurredAt: frame.occurred_at,
      eventType: frame.event_type,
      late,
    };
    const unreadable = (reason: 'cannot_decrypt' | 'no_ciphertext', error?: unknown): OpenedMessage<Tx> => ({
      message: { ...base, readable: false, reason, error, sealed },
      isHidden: false,
      store: undefined,
    });
    if (sealed === undefined) return unreadable('no_ciphertext');
    try {
      const { plaintext, store } = await this.#cipher.decrypt(sealed, contextOf(base));
      const content = plaintext ?? new Uint8Array();
      return {
        message: {
          ...base,
          readable: true,
          content,
          // Decoded when asked for: not every content is text.
          get text() {
            return utf8.decode(content);
          },
        },
        isHidden: plaintext === undefined,
        store,
      };
    } catch (error) {
      return unreadable('cannot_decrypt', error);
    }
  }
}

/** The same fields for everybody, and no other: a cipher may write them all into its associated data. */
export function contextOf({
  conversationId,
  sender,
  messageId,
}: Pick<ReceivedMessage, keyof MessageContext>): MessageContext {
  return { conversationId, sender: sender ?? '', messageId };
}

/** An operator's row may hold anything: what is not as it should be is not there. */
function sealedOf(payload: unknown): Sealed | undefined {
  const { ciphertext, encryption } = fieldsOf(payload);
  const bytes = decodeBase64(textOf(ciphertext) ?? '-');
  if (bytes === undefined) return undefined;
  const { scheme, key_id: keyId } = fieldsOf(encryption);
  return { ciphertext: bytes, scheme: textOf(scheme) ?? '', keyId: textOf(keyId) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
