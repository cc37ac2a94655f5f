import type { Health, Pipeline, Stage, StageName } from '@sanctum/protocol/admin';
import type { Sign } from '../ui/icon.tsx';

/** How a stage is called and what its figures are figures of. */
export interface StageWords {
  readonly title: string;
  readonly subtitle: string;
  /** What its backlog consists of. */
  readonly backlog: string;
  /** What it means for clients when this stage is down, and what to do. */
  readonly remedy: string;
  /** The view that tells more. */
  readonly more: { readonly view: string; readonly label: string };
}

const SLOW_PATH =
  'Messages are still accepted and still reach connected clients by the slow path, seconds later.';

export const STAGE_WORDS: Readonly<Record<StageName, StageWords>> = {
  intake: {
    title: 'HTTP POST',
    subtitle: 'accepted',
    backlog: 'waiting',
    remedy: 'Senders get errors and try again. Look at the pods below: which of them is not ready, and why.',
    more: { view: 'charts', label: 'Latency and throughput' },
  },
  outbox: {
    title: 'Outbox',
    subtitle: 'Postgres',
    backlog: 'pending',
    remedy:
      'Nothing is accepted while Postgres is away; what was accepted is safe. Bring Postgres back or fail over: the pods reconnect by themselves.',
    more: { view: 'partitions', label: 'Partitions and retention' },
  },
  dispatcher: {
    title: 'Dispatcher',
    subtitle: 'outbox to stream',
    backlog: 'pending',
    remedy:
      'Connected clients still get every message by the slow path, seconds later. Check that DISPATCHER_ENABLED is true and that a pod runs it; then its log for dispatcher_tick_error.',
    more: { view: 'dead-letters', label: 'Dead letters' },
  },
  stream: {
    title: 'Redis Stream',
    subtitle: 'Redis',
    backlog: 'entries',
    remedy: `${SLOW_PATH} Restart Redis or fail over: the backlog is dispatched by itself, nothing is lost.`,
    more: { view: 'consumers', label: 'Consumers' },
  },
  consumer: {
    title: 'Consumer',
    subtitle: 'stream to channel',
    backlog: 'unacked',
    remedy:
      'Connected clients still get every message by the slow path, seconds later. Check that CONSUMER_ENABLED is true and that a pod runs it; where it cannot keep up, add pods.',
    more: { view: 'consumers', label: 'Consumers' },
  },
  hub: {
    title: 'WebSocketHub',
    subtitle: 'channel to sockets',
    backlog: 'waiting',
    remedy: 'Clients reconnect to other pods by themselves. Look at the pods below, then at their logs.',
    more: { view: 'connections', label: 'Connections' },
  },
  clients: {
    title: 'Clients',
    subtitle: 'frames written',
    backlog: 'blocked',
    remedy:
      'A slow client costs the others nothing. It is closed after a minute without an answer, and resumes.',
    more: { view: 'connections', label: 'Connections' },
  },
};

/** By why Redis refuses writes: with its data on disk a restart brings the same back. */
const REFUSAL_REMEDIES: Readonly<Record<string, string>> = {
  OOM: `${SLOW_PATH} Redis is full: raise its maxmemory, or make room with XTRIM <stream> MAXLEN ~ n and keep REDIS_STREAM_MAXLEN lower from then on.`,
  MISCONF: `${SLOW_PATH} Redis cannot write its snapshots or its AOF: look at its disk and its log.`,
  NOREPLICAS: `${SLOW_PATH} The replicas that Redis must have (min-replicas-to-write) are away: bring them back.`,
  READONLY: `${SLOW_PATH} This Redis is a replica: point REDIS_URL to the primary.`,
};

export function remedyOf({ name, health, cause }: Stage): string {
  if (health === 'paused') return 'An operator paused it. Resume it when the reason is gone.';
  // Who merely waits for another needs no remedy of its own.
  if (health !== 'down' && health !== 'off') return '';
  const refusal = name === 'stream' ? /refuses writes \((\w+)\)/.exec(cause ?? '')?.[1] : undefined;
  return REFUSAL_REMEDIES[refusal ?? ''] ?? STAGE_WORDS[name].remedy;
}

export const HEALTH_WORDS: Readonly<Record<Health, string>> = {
  ok: 'works',
  degraded: 'impaired',
  down: 'down',
  paused: 'paused',
  off: 'switched off',
};

export const HEALTH_SIGNS: Readonly<Record<Health, Sign>> = {
  ok: 'ok',
  degraded: 'warn',
  down: 'bad',
  paused: 'paused',
  off: 'off',
};

const GRAVITY: readonly Health[] = ['down', 'paused', 'degraded', 'off', 'ok'];

/** Stages that something is to be said about, the gravest first, then in the pipeline's order. */
export function troubled(stages: readonly Stage[]): Stage[] {
  return stages
    .filter((stage) => stage.health !== 'ok' || stage.cause !== null)
    .sort((a, b) => GRAVITY.indexOf(a.health) - GRAVITY.indexOf(b.health));
}

/** The whole in one line: what a person reads first. */
export function headline({ stages }: Pick<Pipeline, 'stages'>): { sign: Sign; text: string } {
  const named = (health: Health): string[] =>
    stages.filter((stage) => stage.health === health).map((stage) => STAGE_WORDS[stage.name].title);
  const down = named('down');
  if (down.length > 0)
    return { sign: 'bad', text: `${listed(down)} ${down.length === 1 ? 'is' : 'are'} down` };
  const paused = named('paused');
  if (paused.length > 0) return { sign: 'paused', text: `Paused: ${listed(paused)}` };
  const degraded = named('degraded');
  if (degraded.length > 0) return { sign: 'warn', text: `Impaired: ${listed(degraded)}` };
  const off = named('off');
  if (off.length > 0) return { sign: 'off', text: `Switched off: ${listed(off)}` };
  return { sign: 'ok', text: 'Everything works' };
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
