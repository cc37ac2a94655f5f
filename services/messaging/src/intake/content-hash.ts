import { hash } from 'node:crypto';

/** What makes a message the same message. */
export interface MessageContent {
  readonly sender: string;
  readonly conversationId: string;
  /** Canonical base64. */
  readonly ciphertext: string;
  readonly encryption?: { readonly scheme: string; readonly key_id?: string | undefined } | undefined;
}

/**
 * SHA-256 over sender, conversation, decoded bytes, scheme and key id. Each field follows its own length, so that
 * nothing can move from one field into the next. Left out is empty: none of these may be empty when it is given.
 */
export function contentHash({ sender, conversationId, ciphertext, encryption }: MessageContent): Buffer {
  const texts = [sender, conversationId, encryption?.scheme ?? '', encryption?.key_id ?? ''];
  const bytes = Buffer.byteLength(ciphertext, 'base64');
  const input = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text), 4 + bytes));
  let at = 0;
  for (const text of texts) {
    const length = input.write(text, at + 4);
    input.writeUInt32BE(length, at);
    at += 4 + length;
  }
  input.writeUInt32BE(bytes, at);
  input.write(ciphertext, at + 4, 'base64');
  return hash('sha256', input, 'buffer');
}
