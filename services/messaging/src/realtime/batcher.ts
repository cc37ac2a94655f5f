import type { Clock } from '../clock.ts';
import { jittered } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';

const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 2000;

/**
 * Gathers single questions into batches: whatever is asked while the allowed number of batches is under way goes
 * with the next one. A batch that fails is asked again until it is answered or the batcher is stopped: readers
 * wait through an outage of the log, they do not see it.
 */
export class Batcher<Question, Answer> {
  readonly #name: string;
  readonly #ask: (questions: Question[]) => Promise<readonly Answer[]>;
  readonly #batchMax: number;
  readonly #inFlightMax: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stopped = new AbortController();
  #waiting: { question: Question; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] =
    [];
  #inFlight = 0;
  #scheduled = false;

  constructor(options: {
    name: string;
    ask: (questions: Question[]) => Promise<readonly Answer[]>;
    batchMax: number;
    inFlightMax: number;
    clock: Clock;
    log: Log;
  }) {
    this.#name = options.name;
    this.#ask = options.ask;
    this.#batchMax = options.batchMax;
    this.#inFlightMax = options.inFlightMax;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Rejects only once the batcher is stopped. */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#stopped.signal.aborted) return reject(new Stopped());
      this.#waiting.push({ question, resolve, reject });
      if (this.#scheduled || this.#inFlight >= this.#inFlightMax) return;
      this.#scheduled = true;
      // What is asked in the same turn goes in the same batch.
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#next();
      });
    });
  }

  stop(): void {
    this.#stopped.abort();
    for (const { reject } of this.#waiting.splice(0)) reject(new Stopped());
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#inFlight < this.#inFlightMax) {
      const batch = this.#waiting.splice(0, this.#batchMax);
      this.#inFlight += 1;
      void this.#run(batch).finally(() => {
        this.#inFlight -= 1;
        this.#next();
      });
    }
  }

  async #run(
    batch: { question: Question; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[],
  ) {
    const questions = batch.map((entry) => entry.question);
    for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(delayMs * 2, RETRY_LAST_MS)) {
      try {
        const answers = await this.#ask(questions);
        batch.forEach((entry, index) => entry.resolve(answers[index] as Answer));
        return;
      } catch (error) {
        if (delayMs === RETRY_FIRST_MS || delayMs === RETRY_LAST_MS) {
          this.#log.warn('log_read_failed', {
            read: this.#name,
            reason: reasonOf(error),
            questions: batch.length,
          });
        }
      }
      await this.#clock.sleep(jittered(this.#clock, delayMs), this.#stopped.signal);
      if (this.#stopped.signal.aborted) {
        for (const { reject } of batch) reject(new Stopped());
        return;
      }
    }
  }
}

/** The pod is shutting down, or the log was set back: nobody waits for the answer any more. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}
