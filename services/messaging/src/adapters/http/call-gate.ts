import { bounds } from '../../bounds.ts';
import type { Clock } from '../../clock.ts';
import { Fault } from '../../errors.ts';
import { ProblemError } from './problems.ts';

/**
 * Calls of the log that requests wait for: bounded in number, in all and for each user, and each in time. A call that is given up goes on
 * counting until it settles, so that a log that hangs cannot gather them.
 */
export class CallGate {
  readonly #clock: Clock;
  #underWay = 0;
  readonly #ofUser = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws ProblemError `overloaded`, Fault `unavailable`, or what the call throws */
  run<T>(userId: string, call: () => Promise<T>): Promise<T> {
    const { callsInFlightMax, userCallsInFlightMax } = bounds.http;
    const ofUser = this.#ofUser.get(userId) ?? 0;
    if (this.#underWay >= callsInFlightMax || ofUser >= userCallsInFlightMax) {
      throw new ProblemError('overloaded', bounds.http.retryAfterMs);
    }
    this.#underWay++;
    this.#ofUser.set(userId, ofUser + 1);
    return new Promise((resolve, reject) => {
      const late = this.#clock.setTimer(bounds.http.callMaxMs, () => {
        reject(new Fault('unavailable', 'no answer in time'));
      });
      call()
        .then(resolve, reject)
        .finally(() => {
          late.cancel();
          this.#underWay--;
          this.#settled(userId);
        });
    });
  }

  #settled(userId: string): void {
    const left = this.#ofUser.get(userId)! - 1;
    if (left === 0) this.#ofUser.delete(userId);
    else this.#ofUser.set(userId, left);
  }
}
