import type { Failure } from '../../services/messaging/src/tests/simulation/sim-world.ts';

/** What proves a promise, beside its tests by hand. */
export interface Proof {
  readonly promise: string;
  /** Of the history checker, and of the simulation where no history shows it. */
  readonly checks: readonly Failure['check'][];
  /** Test files, where no history can show it, or not all of it. */
  readonly tests: readonly string[];
  /** Of the deliberate bugs, where not all that its checks saw concern it. */
  readonly bugs?: readonly string[];
  /** Names of the real faults and attacks that are aimed at it; each run is judged by every check all the same. */
  readonly faults: readonly RegExp[];
}

const REALTIME = 'tests/integration/realtime';

/** The contract's promises, in their order. */
export const PROMISES: Readonly<Record<string, Proof>> = {
  I1: {
    promise: 'Committed',
    checks: ['accepted_lost', 'accepted_seq', 'seen_before_commit', 'answered_internal'],
    tests: ['tests/integration/intake/intake.test.ts'],
    faults: [/^postgres-/, /^net-postgres-/],
  },
  I2: {
    promise: 'In order, without a hole',
    checks: [
      'log_hole',
      'post_order',
      'stream_order',
      'silent_gap',
      'step_back',
      'above_cursor',
      'client_rule',
      'client_fault',
    ],
    tests: ['tests/integration/schema/order.test.ts'],
    faults: [/^poison-row-/, /^two-pods-one-consumer-name$/, /^clock-/],
  },
  I3: {
    promise: 'To everyone',
    checks: [
      'loss',
      'settling',
      'unsettled',
      'slow_path',
      'closed_for_good',
      'reset_cause',
      'refused_member',
      'resumed_ahead',
    ],
    tests: [`${REALTIME}/three-pods.test.ts`, `${REALTIME}/resuming.test.ts`],
    faults: [/^kill-pod-/, /^freeze-pod-/, /^rolling-restart-/, /^net-/, /^reconnect-/],
  },
  I4: {
    promise: 'At least once',
    checks: ['two_at_one_place', 'one_at_two_places', 'never_sent', 'changed_bytes', 'replay_lost'],
    tests: [`${REALTIME}/replays.test.ts`, `${REALTIME}/resets.test.ts`],
    faults: [/^kill-pod-/, /^freeze-pod-/, /^postgres-/, /^net-postgres-/],
  },
  I5: {
    promise: 'Idempotent',
    checks: ['idempotency', 'one_at_two_places'],
    tests: ['intake/intake.test.ts', 'intake/content-hash.test.ts'],
    faults: [/^kill-pod-/, /^freeze-pod-/, /^postgres-/, /^net-postgres-/],
  },
  I6: {
    promise: 'Zero-knowledge',
    checks: [],
    tests: [
      'adapters/pino-log.test.ts',
      'adapters/http/message-routes.test.ts',
      `${REALTIME}/delivery.test.ts`,
      'tests/integration/operations/zero-knowledge.test.ts',
    ],
    faults: [],
  },
  I7: {
    promise: 'Removal acts at once',
    checks: ['non_member', 'after_removal', 'outsider_post'],
    tests: [`${REALTIME}/members-removed.test.ts`, `${REALTIME}/races-members.test.ts`],
    faults: [],
  },
  I8: {
    promise: 'Redis is disposable',
    checks: ['loss', 'settling', 'stream_loss', 'acknowledged_early', 'undispatched'],
    tests: [`${REALTIME}/without-redis.test.ts`, 'tests/integration/dispatcher/outages.test.ts'],
    faults: [/^redis-/, /^net-redis-/, /^stream-at-maxlen$/],
  },
  I9: {
    promise: 'Nothing is lost in silence',
    checks: ['gap_cause', 'silent_gap', 'undispatched'],
    tests: [`${REALTIME}/gaps.test.ts`, `${REALTIME}/retention.test.ts`],
    faults: [/^poison-row-/, /^partition-expires$/, /^redis-xtrim$/, /^stream-at-maxlen$/],
  },
  I10: {
    promise: 'Bounded',
    checks: ['credit'],
    tests: [
      `${REALTIME}/floods.test.ts`,
      `${REALTIME}/lagging-clients.test.ts`,
      `${REALTIME}/bad-frames.test.ts`,
    ],
    faults: [/^hostile-/, /^reconnect-/, /^net-clients-throttled$/],
  },
  I11: {
    promise: 'Shutting down loses nothing',
    checks: ['accepted_lost', 'loss'],
    tests: [`${REALTIME}/drain.test.ts`],
    // None of them is about the end of a pod.
    bugs: [],
    faults: [/^kill-pod-/, /^rolling-restart-/],
  },
};
