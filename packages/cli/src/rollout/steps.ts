/*
 * The rollout of the runbook, as data. Where it stands is read from the Deployments themselves, so an interrupted
 * one goes on where it was, from any machine:
 *
 *   flag off everywhere → on for the canary → watched → on for all
 *
 * first for the dispatcher (phase 1), then for the consumer (phase 2).
 */

export type Flag = 'DISPATCHER_ENABLED' | 'CONSUMER_ENABLED';
export type Phase = 1 | 2;

export const FLAG_OF: Readonly<Record<Phase, Flag>> = { 1: 'DISPATCHER_ENABLED', 2: 'CONSUMER_ENABLED' };

export const STABLE = 'messaging';
export const CANARY = 'messaging-canary';

/** Which flags are on, in each Deployment. */
export type Flags = Readonly<Record<typeof STABLE | typeof CANARY, Readonly<Record<Flag, boolean>>>>;

export type Step =
  | {
      readonly kind: 'set';
      readonly phase: Phase;
      readonly deployment: typeof STABLE | typeof CANARY;
      /** What follows `kubectl`, in the runbook's words. */
      readonly args: readonly string[];
    }
  | { readonly kind: 'watch'; readonly phase: Phase };

/** What is still to be done. A canary that is on already is watched anew: nobody knows who watched it. */
export function stepsFrom(flags: Flags): Step[] {
  return ([1, 2] as const).flatMap((phase): Step[] => {
    const flag = FLAG_OF[phase];
    const [canary, stable] = [flags[CANARY][flag], flags[STABLE][flag]];
    const on = `${flag}=true`;
    const setCanary: Step = {
      kind: 'set',
      phase,
      deployment: CANARY,
      args: ['set', 'env', 'deployment', '--selector', 'app=messaging,canary=true', on],
    };
    const setAll: Step = {
      kind: 'set',
      phase,
      deployment: STABLE,
      args: ['set', 'env', `deployment/${STABLE}`, on],
    };
    if (stable) return canary ? [] : [setCanary];
    return [...(canary ? [] : [setCanary]), { kind: 'watch', phase }, setAll];
  });
}

/** Deployments that have been changed: whether their pods took it is not known yet. */
export function changedIn(flags: Flags): (typeof STABLE | typeof CANARY)[] {
  return ([CANARY, STABLE] as const).filter((name) => Object.values(flags[name]).includes(true));
}

/** The form that reaches the canary as well: left on, it would go on alone with everything. */
export const ROLLBACK: readonly string[] = [
  'set',
  'env',
  `deployment/${STABLE}`,
  `deployment/${CANARY}`,
  'DISPATCHER_ENABLED=false',
  'CONSUMER_ENABLED=false',
];
