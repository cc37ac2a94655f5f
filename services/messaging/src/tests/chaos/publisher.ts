import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CallRecorder } from '../history/call-recorder.ts';
import { machineClock } from '../history/history-writer.ts';
import type { HttpClient } from '../support/http-client.ts';
import type { LatencyWatch } from './latency-watch.ts';

/** After the load has ended, a message that nobody takes is given up. */
const GIVE_UP_MS = 15_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 1000;
const CIPHERTEXT_BYTES = 64;

export interface PublisherOptions {
  readonly conversationId: string;
  /** Devices that are to get what is posted. */
  readonly readers: number;
  readonly sender: string;
  readonly token: string;
  readonly https: readonly { readonly pod: string; readonly http: HttpClient }[];
  readonly firstPod: number;
  /** From one message to the next, on average. */
  readonly paceMs: number;
  readonly calls: CallRecorder;
  readonly watch: LatencyWatch;
  readonly onComplaint: (text: string) => void;
}

/**
 * Somebody who writes one message after the other: each is tried, at one pod after the other, until it is accepted,
 * as a program with a retry policy does. So an outage does not pile up requests, and what was promised can be held
 * against what came.
 */
export class Publisher {
  readonly conversationId: string;
  accepted = 0;
  /** Attempts that were not answered, or with a 429 or 5xx. */
  retries = 0;
  /** Codes of the refusals, with how often. */
  readonly refusals = new Map<string, number>();
  readonly #options: PublisherOptions;
  #pod: number;
  #giveUpAt = Infinity;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.conversationId = options.conversationId;
    this.#pod = options.firstPod;
  }

  /** Until `signal` aborts, and the message under way has come to its end. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => (this.#giveUpAt = machineClock.monotonic() + GIVE_UP_MS));
    const { paceMs } = this.#options;
    while (!signal.aborted) {
      await delay(paceMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.post(randomBytes(CIPHERTEXT_BYTES).toString('base64'));
    }
  }

  /** Posts one message until it is accepted; its id. */
  async post(ciphertext: string): Promise<string> {
    const { conversationId, readers, watch } = this.#options;
    const messageId = randomUUID();
    watch.posted(messageId, { at: machineClock.monotonic(), readers, group: conversationId });
    for (let failures = 0; ; failures++) {
      const outcome = await this.#attempt({ messageId, ciphertext });
      if (outcome.kind === 'accepted') {
        this.accepted += 1;
        return messageId;
      }
      if (outcome.kind === 'refused' || machineClock.monotonic() > this.#giveUpAt) {
        watch.withdrawn(messageId);
        this.#options.onComplaint(`a POST was not accepted: ${outcome.code}`);
        return messageId;
      }
      this.retries += 1;
      this.refusals.set(outcome.code, (this.refusals.get(outcome.code) ?? 0) + 1);
      const spreadMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures);
      await delay((outcome.retryAfterMs ?? 0) + Math.random() * spreadMs);
    }
  }

  async #attempt(message: { readonly messageId: string; readonly ciphertext: string }) {
    const { conversationId, sender, token, https, calls } = this.#options;
    const { pod, http } = https[this.#pod % https.length]!;
    try {
      const answer = await calls.post(http.as(token), { pod, sender, conversationId, message });
      if (answer.status === 200 || answer.status === 201) return { kind: 'accepted' } as const;
      const code = answer.problem?.code ?? String(answer.status);
      const mayRetry = answer.status === 429 || answer.status >= 500;
      // This pod says itself when it may be asked again; another one need not be waited for.
      this.#pod += 1;
      const retryAfterMs = answer.problem?.retry_after_ms;
      return { kind: mayRetry ? 'busy' : 'refused', code, retryAfterMs } as const;
    } catch (error) {
      this.#pod += 1;
      const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      return { kind: 'busy', code, retryAfterMs: undefined } as const;
    }
  }
}
