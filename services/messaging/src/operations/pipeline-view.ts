import type { ControlledStage, Health, Stage, StageName } from '@sanctum/protocol/admin';
import type { FleetRates, KnownPod } from './fleet.ts';
import type { PodFigures } from './pod-figures.ts';

/** Rows that wait for so long, entries that are unread for so long: the stage behind them is late. */
const LATE_SECONDS = 5;
/** From this share of a partition's maximum on, what is unread is about to be trimmed. */
const NEARLY_FULL = 0.8;
/** Of so many of its connections a fleet may have slow ones before that is the fleet's fault. */
const SLOW_SHARE_DOWN = 0.5;
const SLOW_CONNECTIONS_DOWN_MIN = 10;

/** What a store said of itself when this pod asked. */
export interface OutboxState {
  readonly pending: number;
  readonly oldestPendingSeconds: number;
  readonly deadRows: number;
}

export interface StreamState {
  /** Over all partitions, as is `maxLength`. */
  readonly length: number;
  readonly maxLength: number;
  /** The share of its own maximum that the fullest partition holds: each is trimmed by itself. */
  readonly fullest: number;
  readonly pending: number;
  readonly oldestUnreadSeconds: number;
  /** Redis takes no writes: `OOM`, `READONLY`, `MISCONF`. */
  readonly refuses: string | undefined;
}

export interface PipelineInputs {
  readonly pods: readonly KnownPod[];
  readonly rates: FleetRates;
  /** undefined: it did not answer this pod. `not_named`: whoever looks does not know where it is. */
  readonly outbox: OutboxState | undefined;
  readonly stream: StreamState | 'not_named' | undefined;
  /** What operators have paused. */
  readonly paused: readonly ControlledStage[];
  /** Whoever looks is none of the pods. */
  readonly isOutsider?: boolean;
}

interface Finding {
  readonly health: Health;
  readonly cause: string | null;
}

const WELL: Finding = { health: 'ok', cause: null };

/**
 * The stages as the console draws them. Red (`down`) is the stage where the trouble is: whoever only waits for a
 * store that is down, or for a stage that an operator has paused, is `degraded` and says for whom. Pure.
 */
export function viewStages(seen: PipelineInputs): Stage[] {
  const { rates, outbox, pods } = seen;
  const stream = seen.stream === 'not_named' ? undefined : seen.stream;
  const alive = pods.filter(({ isGone }) => !isGone).map(({ figures }) => figures);
  // That an outsider does not reach Redis says nothing of the stages, which do.
  const inputs: PipelineInputs = isCutOffAlone(seen, alive) ? { ...seen, stream: 'not_named' } : seen;
  const dispatching = alive.filter((pod) => pod.dispatcher).length;
  const consuming = alive.filter((pod) => pod.consumer).length;
  const slow = total(alive, (pod) => pod.slowConnections);
  const of = (name: StageName, finding: Finding, figures: Partial<Stage>): Stage => ({
    name,
    ...finding,
    rate: null,
    error_rate: null,
    lag_seconds: null,
    backlog: null,
    pods: alive.length,
    pods_alive: alive.length,
    ...figures,
  });
  return [
    of('intake', intakeFinding(inputs), { rate: rates.accepted, error_rate: rates.intakeErrors }),
    of('outbox', outboxFinding(inputs, alive), {
      rate: rates.accepted,
      error_rate: rates.rowsFailed,
      lag_seconds: outbox?.oldestPendingSeconds ?? null,
      backlog: outbox?.pending ?? null,
    }),
    of('dispatcher', dispatcherFinding(inputs, alive), {
      rate: rates.dispatched,
      error_rate: rates.dispatchErrors,
      lag_seconds: outbox?.oldestPendingSeconds ?? null,
      backlog: outbox?.pending ?? null,
      pods: dispatching,
    }),
    of('stream', streamFinding(seen, alive), {
      rate: rates.published,
      lag_seconds: stream?.oldestUnreadSeconds ?? null,
      backlog: stream?.length ?? null,
    }),
    of('consumer', consumerFinding(inputs, alive), {
      rate: rates.consumed,
      error_rate: rates.consumerErrors + rates.malformed,
      lag_seconds: stream?.oldestUnreadSeconds ?? null,
      backlog: stream?.pending ?? null,
      pods: consuming,
    }),
    of('hub', hubFinding(inputs, alive), {
      rate: rates.consumed,
      error_rate: rates.slowPath + rates.missing,
    }),
    of('clients', clientsFinding(alive, inputs), {
      rate: rates.frames,
      error_rate: rates.slowClosed,
      backlog: slow,
    }),
  ];
}

function intakeFinding({ rates, outbox }: PipelineInputs): Finding {
  if (outbox === undefined) return degraded('waits for the outbox: POSTs get 503');
  if (rates.intakeErrors === 0) return WELL;
  const share = `${perSecond(rates.intakeErrors)} POSTs fail`;
  return rates.accepted === 0 ? down(`${share}, and none is accepted`) : degraded(share);
}

function outboxFinding({ outbox }: PipelineInputs, alive: readonly PodFigures[]): Finding {
  const cut = alive.filter(({ reasons }) => reasons.includes('postgres_unreachable'));
  if (outbox === undefined) {
    return cut.length < alive.length && alive.length > 1
      ? degraded('PostgreSQL does not answer the pod that shows this; others still reach it')
      : down('PostgreSQL does not answer');
  }
  if (cut.length > 0) return degraded(`PostgreSQL does not answer ${names(cut)}`);
  if (outbox.deadRows > 0) return degraded(`${outbox.deadRows} dead rows: see the dead letters`);
  return WELL;
}

function dispatcherFinding(inputs: PipelineInputs, alive: readonly PodFigures[]): Finding {
  const { outbox, stream, rates, paused } = inputs;
  const fault = stageFault(inputs, alive, 'dispatcher');
  if (fault !== undefined) return fault;
  if (paused.includes('dispatcher')) return { health: 'paused', cause: 'an operator has paused it' };
  if (outbox === undefined) return degraded('waits for the outbox');
  if (streamRefuses(stream)) return degraded('waits for the stream');
  const isLate = outbox.oldestPendingSeconds > LATE_SECONDS;
  const late = `the oldest row waits for ${outbox.oldestPendingSeconds.toFixed(0)} s`;
  if (rates.dispatched === 0 && (rates.dispatchErrors > 0 || isLate))
    return down(isLate ? `${late}, and none is dispatched` : 'its rounds fail');
  if (rates.dispatchErrors > 0) return degraded('some of its rounds fail');
  return isLate ? degraded(late) : WELL;
}

function streamFinding(inputs: PipelineInputs, alive: readonly PodFigures[]): Finding {
  const { stream } = inputs;
  const cut = cutOffRedis(alive);
  if (stream === 'not_named') {
    if (cut.length === 0) return { health: 'off', cause: 'not named: set REDIS_URL or --redis-url' };
    const cause = `Redis does not answer ${names(cut)}`;
    return cut.length === alive.length ? down(cause) : degraded(cause);
  }
  if (isCutOffAlone(inputs, alive)) return degraded('Redis does not answer from here; pods still reach it');
  if (stream === undefined) {
    return cut.length < alive.length && alive.length > 1
      ? degraded('Redis does not answer the pod that shows this; others still reach it')
      : down('Redis does not answer: messages take the slow path');
  }
  if (stream.refuses !== undefined) return down(`Redis refuses writes (${stream.refuses})`);
  if (cut.length > 0) return degraded(`Redis does not answer ${names(cut)}`);
  if (stream.oldestUnreadSeconds > LATE_SECONDS && stream.fullest > NEARLY_FULL)
    return degraded('nearly full, and unread: the oldest entries are about to be trimmed');
  return WELL;
}

function consumerFinding(inputs: PipelineInputs, alive: readonly PodFigures[]): Finding {
  const { stream, rates, paused } = inputs;
  const fault = stageFault(inputs, alive, 'consumer');
  if (fault !== undefined) return fault;
  if (paused.includes('consumer')) return { health: 'paused', cause: 'an operator has paused it' };
  if (streamRefuses(stream)) return degraded('waits for the stream');
  const unreadSeconds = typeof stream === 'object' ? stream.oldestUnreadSeconds : oldestUnreadOf(alive);
  const isLate = unreadSeconds > LATE_SECONDS;
  const late = `the oldest unread entry waits for ${unreadSeconds.toFixed(0)} s`;
  if (rates.consumed === 0 && (rates.consumerErrors > 0 || isLate))
    return down(isLate ? `${late}, and none is read` : 'it can neither read nor broadcast');
  if (rates.consumerErrors > 0) return degraded('some of what it reads or broadcasts fails');
  if (rates.malformed > 0) return degraded('entries come that cannot be used: see the dead letters');
  return isLate ? degraded(late) : WELL;
}

function hubFinding({ stream, rates, paused }: PipelineInputs, alive: readonly PodFigures[]): Finding {
  if (paused.includes('delivery'))
    return { health: 'paused', cause: 'an operator has paused delivery: clients stay connected, and wait' };
  if (rates.missing > 0) return down('rows are missing from the log: clients are told of gaps');
  const isAloneAndCutOff = stream === undefined && alive.length <= 1;
  if (isAloneAndCutOff || (alive.length > 0 && cutOffRedis(alive).length === alive.length))
    return degraded('the slow path delivers');
  const deaf = alive.filter(({ busHeard }) => !busHeard);
  if (deaf.length > 0) {
    const cause = `no subscriptions on ${names(deaf)}: the slow path delivers`;
    return deaf.length === alive.length ? down(cause) : degraded(cause);
  }
  if (paused.length > 0) return WELL;
  const broken = alive.filter(({ reasons }) => reasons.includes('path_broken'));
  // With the stages before it at work, what they publish is not heard.
  if (broken.length > 0 && rates.dispatched > 0 && rates.consumed > 0 && rates.consumerErrors === 0)
    return degraded(`the synthetic message does not come back to ${names(broken)}`);
  return WELL;
}

function clientsFinding(alive: readonly PodFigures[], { paused }: PipelineInputs): Finding {
  const connections = total(alive, (pod) => pod.connections);
  const slow = total(alive, (pod) => pod.slowConnections);
  if (slow === 0 || paused.includes('delivery')) return WELL;
  const cause = `${slow} of ${connections} connections do not take what is due to them`;
  const isDown = slow >= SLOW_CONNECTIONS_DOWN_MIN && slow > connections * SLOW_SHARE_DOWN;
  return isDown ? down(cause) : degraded(cause);
}

/** What is wrong with a switched stage before its figures are looked at: off, gone, stuck. */
function stageFault(
  { pods }: PipelineInputs,
  alive: readonly PodFigures[],
  name: 'dispatcher' | 'consumer',
): Finding | undefined {
  const doing = alive.filter((pod) => pod[name]);
  if (doing.length === 0) {
    const gone = pods.filter(({ figures, isGone }) => isGone && figures[name]).map(({ figures }) => figures);
    if (gone.length > 0) return down(`the pods that did this are gone: ${names(gone)}`);
    return { health: 'off', cause: `no pod has ${name.toUpperCase()}_ENABLED=true` };
  }
  const stuck = doing.filter(({ reasons }) => reasons.includes(`${name}_stuck`));
  if (stuck.length === 0) return undefined;
  const cause = `its loop makes no progress on ${names(stuck)}`;
  return stuck.length === doing.length ? down(cause) : degraded(cause);
}

function isCutOffAlone({ stream, isOutsider }: PipelineInputs, alive: readonly PodFigures[]): boolean {
  return isOutsider === true && stream === undefined && cutOffRedis(alive).length < alive.length;
}

function cutOffRedis(alive: readonly PodFigures[]): PodFigures[] {
  return alive.filter(({ reasons }) => reasons.includes('redis_unreachable'));
}

function streamRefuses(stream: PipelineInputs['stream']): boolean {
  if (stream === 'not_named') return false;
  return stream === undefined || stream.refuses !== undefined;
}

/** As the pods see it. */
function oldestUnreadOf(alive: readonly PodFigures[]): number {
  return Math.max(0, ...alive.map(({ oldestUnreadSeconds }) => oldestUnreadSeconds));
}

function down(cause: string): Finding {
  return { health: 'down', cause };
}

function degraded(cause: string): Finding {
  return { health: 'degraded', cause };
}

const NAMED_MAX = 5;

function names(pods: readonly PodFigures[]): string {
  const rest = pods.length - NAMED_MAX;
  const named = pods.slice(0, NAMED_MAX).map(({ name }) => name);
  return `${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function total(pods: readonly PodFigures[], figure: (pod: PodFigures) => number): number {
  return pods.reduce((sum, pod) => sum + figure(pod), 0);
}

function perSecond(rate: number): string {
  return `${rate < 10 ? rate.toFixed(1) : rate.toFixed(0)} a second`;
}
