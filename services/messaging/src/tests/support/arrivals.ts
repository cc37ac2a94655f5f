interface Waiter {
  readonly isMet: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Waiting for what arrives, without polling: each arrival is looked at by everyone who waits. */
export class Arrivals {
  readonly #waiters = new Set<Waiter>();
  readonly #findings: ArrivalFindings;

  constructor(findings: ArrivalFindings) {
    this.#findings = findings;
  }

  /**
   * Waits until a predicate holds, looking at it now and at each arrival.
   * @throws Error after `timeoutMs`, when nothing more can come, and at a fault; it says what did come
   */
  until(isMet: () => boolean, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => waiter.reject(new Error(`not within ${timeoutMs} ms`)), timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        isMet,
        resolve: () => {
          settle();
          resolve();
        },
        reject: (cause) => {
          settle();
          reject(new Error(`${cause.message}: ${this.#findings.summary()}`, { cause }));
        },
      };
      this.#waiters.add(waiter);
      this.#look(waiter);
    });
  }

  /** Something has arrived. */
  notify(): void {
    for (const waiter of this.#waiters) this.#look(waiter);
  }

  #look(waiter: Waiter): void {
    try {
      if (this.#findings.isFaulty()) waiter.reject(new Error('the server broke a rule'));
      else if (waiter.isMet()) waiter.resolve();
      else if (this.#findings.isOver()) waiter.reject(new Error('the connection ended'));
    } catch (error) {
      waiter.reject(error as Error);
    }
  }
}

/** What those who wait want to know besides their own question. */
export interface ArrivalFindings {
  /** Something arrived that must fail the test. */
  isFaulty(): boolean;
  /** Nothing more can arrive. */
  isOver(): boolean;
  /** One line on what did. */
  summary(): string;
}
