import type { Http } from '../http.ts';
import { SanctumError } from '../sanctum-error.ts';

export type PostOutcome =
  | { readonly kind: 'sent'; readonly seq: number }
  /** It is not known whether it was accepted, or the service is busy: the same message again. */
  | { readonly kind: 'again'; readonly floorMs: number; readonly error: SanctumError }
  | { readonly kind: 'refused'; readonly error: SanctumError }
  | { readonly kind: 'login_over'; readonly error: SanctumError };

/** Codes that a new login is wanted for; `token_expired` is retryable, and not asked about. */
const LOGIN_CODE = /^token|^revoked|^login/;

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
    if (typeof seq === 'number') return { kind: 'sent', seq };
    throw new SanctumError('bad_answer', 'no seq', { retryable: true });
  } catch (error) {
    if (!(error instanceof SanctumError)) throw error;
    if (error.retryable) return { kind: 'again', floorMs: error.retryAfterMs ?? 0, error };
    return { kind: LOGIN_CODE.test(error.code) ? 'login_over' : 'refused', error };
  }
}
