import type { Entry } from './entry.ts';

const TIMEOUT_MS = 5000;

/**
 * Stands for the push service of a platform: a `POST` to `PUSH_URL`, or a line on the terminal. It is told which
 * message there is, and nothing of it: the device wakes, fetches, and decrypts.
 */
export async function push(userId: string, { conversationId, messageId, seq }: Entry): Promise<void> {
  // A platform's service shows two pushes of one `collapse_id` once: a copy that came twice does no harm.
  const body = JSON.stringify({ to: userId, conversation_id: conversationId, seq, collapse_id: messageId });
  const url = process.env['PUSH_URL'];
  if (url === undefined) return console.log(body);
  const headers = { 'content-type': 'application/json' };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, { method: 'POST', headers, body, signal });
  if (!response.ok) throw new Error(`the push service answers ${response.status}`);
}
