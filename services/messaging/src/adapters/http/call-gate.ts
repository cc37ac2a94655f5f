import { bounds } from '../../bounds.ts';
import type { Clock } from '../../clock.ts';
import { Fault } from '../../errors.ts';
import { ProblemError } from './problems.ts';

/**
 * Calls of the log that requests wait for: bounded in number, and each in time. A call that is given up goes on
 * counting until it settles, so that a log that hangs cannot gather them.
 */
export class CallGate {
  readonly #clock: Clock;
  #underWay = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws ProblemError `overloaded`, Fault `unavailable`, or what the call throws */
  run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#underWay >= bounds.http.callsInFlightMax) {
      throw new ProblemError('overloaded', bounds.http.retryAfterMs);
    }
    this.#underWay++;
    return new Promise((resolve, reject) => {
      const late = this.#clock.setTimer(bounds.http.callMaxMs, () => {
        reject(new Fault('unavailable', 'no answer in time'));
      });
      call()
        .then(resolve, reject)
        .finally(() => {
          late.cancel();
          this.#underWay--;
        });
    });
  }
}
