import type { Pod } from '@sanctum/messaging/tests/support/pod';
import type { Scene } from '@sanctum/messaging/tests/support/scene';
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 20;
const READERS = ['ann', 'ben', 'cleo'] as const;
const SETTLED_AT = 20;

/** A conversation that is always busy: somebody posts, and three read. What fails is posted again later. */
export class Traffic {
  #ended = false;
  #posting: Promise<void> = Promise.resolve();
  readonly #received: () => number;
  readonly #until: (check: () => boolean) => Promise<unknown>;

  private constructor(received: () => number, until: (check: () => boolean) => Promise<unknown>) {
    this.#received = received;
    this.#until = until;
  }

  static async begin(scene: Scene, pod: Pod): Promise<Traffic> {
    const conversationId = await scene.conversation(pod, READERS);
    const readers = await Promise.all(READERS.map((name) => scene.connect(pod, name)));
    const [first] = readers;
    if (first === undefined) throw new Error('nobody reads');
    const traffic = new Traffic(
      () => first.received.seqs(conversationId).length,
      (check) => first.until(check),
    );
    const ann = await scene.http(pod, 'ann');
    traffic.#posting = (async () => {
      while (!traffic.#ended) {
        await ann.postMessage(conversationId).catch(() => undefined);
        await delay(PAUSE_MS);
      }
    })();
    return traffic;
  }

  /** Some of it has arrived. */
  async settled(): Promise<void> {
    await this.#until(() => this.#received() >= SETTLED_AT);
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#posting;
  }
}
