import type { CheckName, CheckOptions, Hooks, Judge, Violation } from './judge.ts';
import type { Run } from './run.ts';

/** Of each check so many violations are kept word for word; all are counted. */
const KEPT_OF_EACH = 50;

type Called = { [K in keyof Hooks]-?: NonNullable<Hooks[K]>[] };

/** All judges at one table: each hook's list is made once, so that an event calls those that look at it, no more. */
export class Panel {
  readonly violations: Violation[] = [];
  readonly counts = new Map<CheckName, number>();
  readonly on: Called = {
    hello: [],
    message: [],
    gap: [],
    member: [],
    reset: [],
    subscribed: [],
    close: [],
    post: [],
    post_ok: [],
    post_fail: [],
    read: [],
    entry: [],
    operation: [],
    sight: [],
    claim: [],
    finish: [],
  };

  constructor(judges: readonly Judge[], run: Run, options: CheckOptions) {
    for (const { check, begin } of judges) {
      const hooks = begin(run, (violation) => this.#report({ check, ...violation }), options);
      for (const name of Object.keys(hooks) as (keyof Hooks)[]) {
        (this.on[name] as unknown[]).push(hooks[name]);
      }
    }
  }

  #report(violation: Violation): void {
    const count = (this.counts.get(violation.check) ?? 0) + 1;
    this.counts.set(violation.check, count);
    if (count <= KEPT_OF_EACH) this.violations.push(violation);
  }
}
