import type { Http } from '../http.ts';
import { SanctumError } from '../sanctum-error.ts';

export type PostOutcome =
  | { readonly kind: 'sent'; readonly seq: number }
  /** It is not known whether it was accepted, or the service is busy: the same message again. */
  | { readonly kind: 'again'; readonly floorMs: number }
  | { readonly kind: 'refused'; readonly error: SanctumError }
  | { readonly kind: 'login_over'; readonly error: SanctumError };

const LOGIN_CODES: readonly string[] = ['token_missing', 'token_invalid', 'revoked', 'login_required'];

/** Posts a message once, and says what the answer means for it. Never rejects. */
export async function postMessage(
  http: Http,
  message: {
    readonly conversationId: string;
    readonly messageId: string;
    readonly ciphertext: string;
    readonly scheme: string;
    readonly keyId?: string | undefined;
  },
): Promise<PostOutcome> {
  const { conversationId, messageId, ciphertext, scheme, keyId } = message;
  try {
    const answer = await http.call<{ seq?: unknown } | undefined>({
      method: 'POST',
      path: `/v1/conversations/${conversationId}/messages`,
      body: {
        message_id: messageId,
        ciphertext,
        encryption: { scheme, ...(keyId !== undefined && { key_id: keyId }) },
      },
    });
    const seq = answer?.seq;
    // Not our service, or not a whole answer: a proxy's page, say.
    return typeof seq === 'number' ? { kind: 'sent', seq } : { kind: 'again', floorMs: 0 };
  } catch (error) {
    if (!(error instanceof SanctumError)) throw error;
    if (error.retryable) return { kind: 'again', floorMs: error.retryAfterMs ?? 0 };
    return { kind: LOGIN_CODES.includes(error.code) ? 'login_over' : 'refused', error };
  }
}
