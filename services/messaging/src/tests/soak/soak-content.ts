/** A ciphertext that says which message it is, and when it was sent, in the soak's monotonic milliseconds. */
export function ciphertextFor(messageId: string, sentAt: number): string {
  return Buffer.from(`${messageId} ${sentAt.toFixed(3)}`).toString('base64');
}

export function contentOf(payload: unknown): { messageId: string | undefined; sentAt: number | undefined } {
  const { ciphertext } = (payload ?? {}) as { ciphertext?: unknown };
  if (typeof ciphertext !== 'string') return { messageId: undefined, sentAt: undefined };
  const [messageId, sentAt] = Buffer.from(ciphertext, 'base64').toString().split(' ');
  return { messageId, sentAt: sentAt === undefined ? undefined : Number(sentAt) };
}
