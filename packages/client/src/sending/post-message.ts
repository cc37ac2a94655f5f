import type { Http } from '../http.ts';
import { SanctumError } from '../sanctum-error.ts';

export type PostOutcome =
  | { readonly kind: 'sent'; readonly seq: number }
  /** It is not known whether it was accepted, or the service is busy: the same message again. */
  | { readonly kind: 'again'; readonly floorMs: number }
  | { readonly kind: 'refused'; readonly error: SanctumError }
  | { readonly kind: 'login_over'; readonly error: SanctumError };

const LOGIN_CODES: ReadonlySet<string> = new Set([
  'token_missing',
  'token_invalid',
  'revoked',
  'login_required',
]);
/** Verdicts on the token of the moment, or no answer of the service at all: never on the message. */
const PASSING_CODES: ReadonlySet<string> = new Set(['token_expired', 'bad_answer', 'unreachable', 'closed']);

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
    if (error.retryable || PASSING_CODES.has(error.code)) {
      return { kind: 'again', floorMs: error.retryAfterMs ?? 0 };
    }
    return { kind: LOGIN_CODES.has(error.code) ? 'login_over' : 'refused', error };
  }
}
