import type { ConnectionView, PodConnections, TracedReader } from '@sanctum/protocol/admin';
import type { Clock } from '../clock.ts';
import type { Fleet } from './fleet.ts';
import type { PodBus } from './pod-bus.ts';
import type { PodFigures } from './pod-figures.ts';

/** How long the other pods have to answer. */
const PATIENCE_MS = 500;

/** What only the pod that holds a connection knows. */
export type PodQuestion =
  /** Who reads this conversation, and is past this place? */
  | { readonly about: 'readers'; readonly conversationId: string; readonly seq: number }
  /** How many connections have a place in one of these conversations? */
  | { readonly about: 'reach'; readonly conversationIds: readonly string[] }
  /** The connections with these properties, by id, behind `after`, not more than `limit`. */
  | { readonly about: 'connections'; readonly filter: ConnectionFilter }
  /** How many connections does this user, or this login, have? */
  | { readonly about: 'logins'; readonly kind: 'user' | 'login'; readonly subject: string };

export interface ConnectionFilter {
  /** Of this pod alone. */
  readonly pod?: string | undefined;
  readonly state?: string | undefined;
  readonly slow?: boolean | undefined;
  readonly userId?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface PodAnswer {
  readonly pod: string;
  readonly readers?: readonly TracedReader[];
  readonly past?: number;
  /** Readers, connections reached, or connections of the login. */
  readonly count?: number;
  readonly connections?: readonly ConnectionView[];
  readonly summary?: PodConnections;
}

type WrittenFigures = readonly { readonly figures: PodFigures; readonly ageMs: number }[];

export interface FleetAnswers {
  /** By pod name. */
  readonly answers: readonly PodAnswer[];
  /** Names of pods that live and did not answer in time. */
  readonly missing: readonly string[];
}

/**
 * Asks every pod, over the bus, and waits until all that live have answered, or half a second. This pod's own answer
 * needs no bus; with Redis down it is the only one, and their table says whose answers are missing.
 */
export class PodQuestions {
  readonly #bus: PodBus;
  readonly #fleet: Fleet;
  readonly #table: () => Promise<WrittenFigures>;
  readonly #clock: Clock;
  readonly #instance: string;
  readonly #answer: (question: PodQuestion) => PodAnswer;
  readonly #open = new Map<string, (instance: string, answer: PodAnswer) => void>();

  constructor(options: {
    bus: PodBus;
    fleet: Fleet;
    /** What pods have written of themselves. */
    table: () => Promise<WrittenFigures>;
    clock: Clock;
    instance: string;
    answer: (question: PodQuestion) => PodAnswer;
  }) {
    this.#bus = options.bus;
    this.#fleet = options.fleet;
    this.#table = options.table;
    this.#clock = options.clock;
    this.#instance = options.instance;
    this.#answer = options.answer;
    this.#bus.onMessage((message) => {
      if (message.kind === 'answer') this.#open.get(message.id)?.(message.instance, message.answer);
      // One's own question was answered where it was asked.
      else if (message.kind === 'ask' && !this.#open.has(message.id)) {
        void this.#bus.say({
          kind: 'answer',
          id: message.id,
          instance: this.#instance,
          answer: this.#answer(message.question),
        });
      }
    });
  }

  /** How many connections have a place in one of these conversations, as far as pods have answered. */
  async reach(conversationIds: readonly string[]): Promise<{ clients: number; pods_missing: string[] }> {
    if (conversationIds.length === 0) return { clients: 0, pods_missing: [] };
    const { answers, missing } = await this.ask({ about: 'reach', conversationIds });
    const clients = answers.reduce((sum, { count = 0 }) => sum + count, 0);
    return { clients, pods_missing: [...missing] };
  }

  async ask(question: PodQuestion): Promise<FleetAnswers> {
    await this.lookForPods();
    const waiting = new Map(
      this.#fleet
        .alive()
        .filter(({ instance }) => instance !== this.#instance)
        .map(({ instance, name }) => [instance, name]),
    );
    const answers = [this.#answer(question)];
    const id = this.#clock.uuid();
    return new Promise((resolve) => {
      const finish = () => {
        timer.cancel();
        this.#open.delete(id);
        answers.sort((a, b) => (a.pod < b.pod ? -1 : 1));
        resolve({ answers, missing: [...waiting.values()].sort() });
      };
      const timer = this.#clock.setTimer(PATIENCE_MS, finish);
      this.#open.set(id, (instance, answer) => {
        if (!waiting.delete(instance)) return;
        answers.push(answer);
        if (waiting.size === 0) finish();
      });
      if (waiting.size === 0) finish();
      else void this.#bus.say({ kind: 'ask', id, question });
    });
  }

  /** Makes the fleet know pods that the bus has not brought, as far as PostgreSQL tells in time. */
  async lookForPods(): Promise<void> {
    const read = async () => {
      for (const { figures, ageMs } of await this.#table()) this.#fleet.hear(figures, ageMs);
    };
    const late = new AbortController();
    await Promise.race([read().catch(() => undefined), this.#clock.sleep(PATIENCE_MS, late.signal)]);
    late.abort();
  }
}
