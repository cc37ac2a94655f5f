import { randomUUID } from 'node:crypto';
import type { SoakCast, SoakConversation } from './soak-cast.ts';
import { ciphertextFor } from './soak-content.ts';
import type { SoakLedger } from './soak-ledger.ts';
import { HOT_SHARE } from './soak-options.ts';

const TICK_MS = 20;
/** Beyond it the service does not keep up: what would have been posted is counted as refused. */
const IN_FLIGHT_MAX = 1000;
const HOT_CONVERSATIONS = 5;

export interface LoadCounts {
  posts: number;
  /** Anything but a 2xx, and no answer. */
  failed: number;
  /** By status, `none`, or `not sent`. */
  readonly failures: Record<string, number>;
}

/** Posts at an even rate until `signal`, and waits for the last answers. */
export async function runLoad(options: {
  cast: SoakCast;
  ledger: SoakLedger;
  ratePerSecond: number;
  signal: AbortSignal;
  counts: LoadCounts;
}): Promise<void> {
  const { cast, ledger, ratePerSecond, signal, counts } = options;
  const inFlight = new Set<Promise<void>>();
  const fail = (reason: string) => {
    counts.failed += 1;
    counts.failures[reason] = (counts.failures[reason] ?? 0) + 1;
  };
  const post = async (conversation: SoakConversation) => {
    const { id, members } = conversation;
    conversation.posting += 1;
    try {
      const http = await cast.http(members[Math.floor(Math.random() * members.length)]!);
      const messageId = randomUUID();
      const ciphertext = ciphertextFor(messageId, performance.now());
      const { status, body } = await http.postMessage(id, { messageId, ciphertext });
      if (status < 300) return ledger.postAccepted(id, body.seq, messageId);
      if (status >= 500) ledger.postUnknown(id);
      fail(String(status));
    } catch {
      ledger.postUnknown(id);
      fail('none');
    } finally {
      conversation.posting -= 1;
    }
  };

  const startedAt = performance.now();
  let due = 0;
  while (!signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    const target = ((performance.now() - startedAt) / 1000) * ratePerSecond;
    for (; due < target; due += 1) {
      counts.posts += 1;
      if (inFlight.size >= IN_FLIGHT_MAX) {
        fail('not sent');
        continue;
      }
      const from =
        Math.random() < HOT_SHARE ? Math.min(HOT_CONVERSATIONS, cast.conversations.length) : undefined;
      const index = Math.floor(Math.random() * (from ?? cast.conversations.length));
      const posting = post(cast.conversations[index]!).finally(() => inFlight.delete(posting));
      inFlight.add(posting);
    }
  }
  await Promise.all(inFlight);
}
