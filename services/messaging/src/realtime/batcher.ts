import type { Clock } from '../clock.ts';
import { jittered } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';

const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 2000;

interface Asked<Question, Answer> {
  readonly question: Question;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  /** Times that it failed, in a batch or alone. */
  failures: number;
  /** Times that it failed while the log answered others: from the first one on it is asked alone. */
  blamed: number;
  /** How many batches had been answered when it last failed. */
  answersSeen: number;
}

/**
 * Gathers single questions into batches: whatever is asked while the allowed number of batches is under way goes
 * with the next one. What stood in a batch that failed is a suspect: it is asked again, apart from what is new, until
 * it is answered or the batcher is stopped, and alone where others were answered meanwhile, so that one question that
 * the log cannot answer holds up none of the others. While the log answers nobody, every try is a single question,
 * and the rest waits: readers wait through an outage of the log, they do not see it.
 */
export class Batcher<Question, Answer> {
  readonly #name: string;
  readonly #ask: (questions: Question[]) => Promise<readonly Answer[]>;
  readonly #batchMax: number;
  readonly #inFlightMax: number;
  readonly #blamedMax: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stopped = new AbortController();
  #waiting: Asked<Question, Answer>[] = [];
  #suspects: Asked<Question, Answer>[] = [];
  #inFlight = 0;
  #scheduled = false;
  /** Suspects are being asked, or those that failed last are resting. */
  #suspectsOut = false;
  #lastWereSuspects = false;
  /** How many suspects go together: more after each time that they were answered. */
  #suspectsMax = 1;
  #failuresInRow = 0;
  #answers = 0;

  constructor(options: {
    name: string;
    ask: (questions: Question[]) => Promise<readonly Answer[]>;
    batchMax: number;
    inFlightMax: number;
    /** From two on: a question that failed so often while others were answered is given up. Left out: never. */
    blamedMax?: number;
    clock: Clock;
    log: Log;
  }) {
    this.#name = options.name;
    this.#ask = options.ask;
    this.#batchMax = options.batchMax;
    this.#inFlightMax = options.inFlightMax;
    this.#blamedMax = options.blamedMax ?? Infinity;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Rejects once the batcher is stopped, or with `blamedMax` when the question is given up. */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#stopped.signal.aborted) return reject(new Stopped());
      this.#waiting.push({ question, resolve, reject, failures: 0, blamed: 0, answersSeen: this.#answers });
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
    for (const { reject } of [...this.#waiting.splice(0), ...this.#suspects.splice(0)]) reject(new Stopped());
  }

  #next(): void {
    while (this.#inFlight < this.#inFlightMax) {
      const hasWaiting = this.#waiting.length > 0;
      const areSuspects =
        this.#suspects.length > 0 && !this.#suspectsOut && !(hasWaiting && this.#lastWereSuspects);
      if (!areSuspects && !hasWaiting) return;
      this.#lastWereSuspects = areSuspects;
      this.#inFlight += 1;
      if (areSuspects) void this.#runSuspects(this.#takeSuspects());
      else void this.#run(this.#waiting.splice(0, this.#failuresInRow === 0 ? this.#batchMax : 1));
    }
  }

  #takeSuspects(): Asked<Question, Answer>[] {
    const blamedAt = this.#suspects.findIndex(({ blamed }) => blamed > 0);
    const count = blamedAt === -1 ? this.#suspectsMax : Math.max(1, Math.min(blamedAt, this.#suspectsMax));
    return this.#suspects.splice(0, count);
  }

  async #run(batch: Asked<Question, Answer>[]): Promise<void> {
    if (!(await this.#isAnswered(batch))) await this.#rest(this.#failuresInRow);
    this.#inFlight -= 1;
    this.#next();
  }

  /** Where they fail and the log answers others, their place is soon free again, but no other suspect comes soon. */
  async #runSuspects(batch: Asked<Question, Answer>[]): Promise<void> {
    this.#suspectsOut = true;
    let rested: Promise<void> | undefined;
    if (await this.#isAnswered(batch)) {
      this.#suspectsMax = Math.min(this.#suspectsMax * 2, this.#batchMax);
    } else {
      this.#suspectsMax = 1;
      rested = this.#rest(batch[0]!.failures);
      await this.#rest(this.#failuresInRow);
    }
    this.#inFlight -= 1;
    if (rested !== undefined) {
      this.#next();
      await rested;
    }
    this.#suspectsOut = false;
    this.#next();
  }

  async #isAnswered(batch: Asked<Question, Answer>[]): Promise<boolean> {
    try {
      const answers = await this.#ask(batch.map(({ question }) => question));
      this.#answers += 1;
      this.#failuresInRow = 0;
      batch.forEach(({ resolve }, index) => resolve(answers[index] as Answer));
      return true;
    } catch (error) {
      this.#failuresInRow += 1;
      this.#putAside(batch, error);
      return false;
    }
  }

  #putAside(batch: Asked<Question, Answer>[], error: unknown): void {
    const figures = { read: this.#name, reason: reasonOf(error), questions: batch.length };
    const failures = Math.max(this.#failuresInRow, ...batch.map((each) => each.failures + 1));
    if (failures === 1 || restMs(failures) === RETRY_LAST_MS) this.#log.warn('log_read_failed', figures);
    for (const asked of batch) {
      asked.failures += 1;
      if (this.#answers > asked.answersSeen) asked.blamed += 1;
      asked.answersSeen = this.#answers;
      if (this.#stopped.signal.aborted) asked.reject(new Stopped());
      else if (asked.blamed < this.#blamedMax) this.#suspects.push(asked);
      else {
        this.#log.warn('log_read_given_up', figures);
        asked.reject(new Stopped());
      }
    }
  }

  #rest(failures: number): Promise<void> {
    return this.#clock.sleep(jittered(this.#clock, restMs(failures)), this.#stopped.signal);
  }
}

/** After so many failures. */
function restMs(failures: number): number {
  return Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_LAST_MS);
}

/**
 * No answer will come: the pod is shutting down, the log was set back and nobody waits any more, or the log answers
 * others and not this question.
 */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}
