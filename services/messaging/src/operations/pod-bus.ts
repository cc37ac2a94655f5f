import type { Clock } from '../clock.ts';
import type { BusPublisher, BusSubscriber } from '../ports.ts';
import type { PodFigures } from './pod-figures.ts';
import type { PodAnswer, PodQuestion } from './pod-questions.ts';
import { readPodFigures } from './read-pod-figures.ts';

/** What pods say to each other on the channel `control`. */
export type PodMessage =
  /** Controls or revocations have changed: look at them. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'figures'; readonly figures: PodFigures }
  /** This pod ends in good order. */
  | { readonly kind: 'bye'; readonly instance: string }
  | { readonly kind: 'ask'; readonly id: string; readonly question: PodQuestion }
  | { readonly kind: 'answer'; readonly id: string; readonly instance: string; readonly answer: PodAnswer };

/** More than the largest answer. */
const MESSAGE_MAX_BYTES = 1024 * 1024;
const SUBSCRIBE_AGAIN_MS = 1000;

/**
 * The channel on which the pods of an installation talk about themselves. Best effort: whatever must not be lost
 * stands in Postgres. A message of another version, or of a stranger, is passed over.
 */
export class PodBus {
  readonly #publisher: BusPublisher;
  readonly #clock: Clock;
  readonly #listeners: ((message: PodMessage) => void)[] = [];
  #heardFirst: () => void = () => undefined;
  readonly #subscribed: Promise<void>;

  constructor(options: { publisher: BusPublisher; subscriber: BusSubscriber; clock: Clock }) {
    const { subscriber, clock } = options;
    this.#publisher = options.publisher;
    this.#clock = clock;
    this.#subscribed = new Promise((resolve) => (this.#heardFirst = resolve));
    const subscribe = () => {
      subscriber.subscribe(['control']).then(this.#heardFirst, () => {
        clock.setTimer(SUBSCRIBE_AGAIN_MS, () => {
          if (subscriber.connected) subscribe();
        });
      });
    };
    subscriber.onReady(subscribe);
    subscriber.onMessage((channel, bytes) => {
      if (channel === 'control') this.#hear(bytes);
    });
  }

  onMessage(listener: (message: PodMessage) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves when this process hears what is said, or after `timeoutMs`. */
  async whenHeard(timeoutMs: number): Promise<void> {
    const late = new AbortController();
    await Promise.race([this.#subscribed, this.#clock.sleep(timeoutMs, late.signal)]);
    late.abort();
  }

  /** Whether Redis has taken it. */
  async say(message: PodMessage): Promise<boolean> {
    try {
      await this.#publisher.publish([{ channel: 'control', bytes: Buffer.from(JSON.stringify(message)) }]);
      return true;
    } catch {
      return false;
    }
  }

  #hear(bytes: Buffer): void {
    const message = parse(bytes);
    if (message === undefined) return;
    for (const listener of this.#listeners) {
      try {
        listener(message);
      } catch {
        // A question that only its own version understands: it must not end this process, and all others with it.
      }
    }
  }
}

/** Questions and answers are looked at no further than whoever waits for them relies on at once. */
function parse(bytes: Buffer): PodMessage | undefined {
  if (bytes.length > MESSAGE_MAX_BYTES) return undefined;
  try {
    const value = JSON.parse(bytes.toString('utf8')) as Partial<Record<string, unknown>> | null;
    return value !== null && isMessage(value) ? (value as unknown as PodMessage) : undefined;
  } catch {
    return undefined;
  }
}

function isMessage(value: Partial<Record<string, unknown>>): boolean {
  const { kind, id, instance, figures, question, answer } = value;
  if (kind === 'changed') return true;
  if (kind === 'figures') return readPodFigures(figures) !== undefined;
  if (kind === 'bye') return typeof instance === 'string';
  if (typeof id !== 'string') return false;
  if (kind === 'ask') return typeof (question as { about?: unknown } | null)?.about === 'string';
  const isAnswer = kind === 'answer' && typeof instance === 'string';
  return isAnswer && typeof (answer as { pod?: unknown } | null)?.pod === 'string';
}
