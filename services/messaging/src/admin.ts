import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { controlRoutes } from './adapters/http/admin/control-routes.ts';
import { createAdminServer } from './adapters/http/admin/admin-server.ts';
import { deadLetterRoutes } from './adapters/http/admin/dead-letter-routes.ts';
import { EventStreams } from './adapters/http/admin/event-stream.ts';
import { inspectionRoutes } from './adapters/http/admin/inspection-routes.ts';
import { pipelineRoutes } from './adapters/http/admin/pipeline-routes.ts';
import type { TokenVerifier } from './adapters/http/token-verifier.ts';
import { PostgresDeadLetters } from './adapters/postgres/dead-letters.ts';
import { PostgresDispatchLog } from './adapters/postgres/dispatch-log.ts';
import { OperatorJobs } from './adapters/postgres/operator-jobs.ts';
import { PostgresOperatorLog } from './adapters/postgres/operator-log.ts';
import { PodTable } from './adapters/postgres/pod-table.ts';
import type { PostgresPool } from './adapters/postgres/pool.ts';
import { PostgresReplayLog } from './adapters/postgres/replay-log.ts';
import { StreamInspector } from './adapters/redis/stream-inspector.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { Fault } from './errors.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { ControlWatch, type OperatorStateLog, type Pausable } from './operations/control-watch.ts';
import { Fleet } from './operations/fleet.ts';
import { PipelineHistory } from './operations/pipeline-history.ts';
import { PipelineWatch } from './operations/pipeline-watch.ts';
import { PodBus } from './operations/pod-bus.ts';
import { type PodFigures, readTotals, valueOf } from './operations/pod-figures.ts';
import { type PodAnswer, type PodQuestion, PodQuestions } from './operations/pod-questions.ts';
import { PodReporter } from './operations/pod-reporter.ts';
import type { Readiness } from './operations/readiness.ts';
import type { Revocations } from './operations/revocations.ts';
import type { BusPublisher, BusSubscriber } from './ports.ts';
import type { Hub } from './realtime/hub.ts';
import { pageFolder } from './page-folder.ts';
import { SessionViews } from './realtime/session-views.ts';

const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

export interface AdminDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pool: PostgresPool;
  /** For pauses and revocations: nobody's slow question may hold them up. */
  readonly controlPool: PostgresPool;
  /** A test's way to what operators have decided; else what Postgres says. */
  readonly operatorState?: ((log: OperatorStateLog) => OperatorStateLog) | undefined;
  readonly payloadLimitBytes: number;
  readonly publisher: BusPublisher;
  readonly subscriber: BusSubscriber;
  readonly hub: Hub;
  readonly dispatcher: Pausable | undefined;
  readonly consumer: Pausable | undefined;
  readonly verifier: TokenVerifier;
  readonly revocations: Revocations;
  readonly readiness: () => Promise<Readiness>;
  readonly epoch: () => number;
  /** What the pod is at, where it is not serving. */
  readonly phase: () => 'starting' | 'draining' | undefined;
}

export interface Admin {
  /** Follows what operators have decided so far: before the stages start. @throws Fault when it cannot be read */
  begin(): Promise<void>;
  /** Serves; returns the port. */
  listen(): Promise<number>;
  stop(): Promise<void>;
}

/** What operators see and do: composed here, as server.ts composes the pipeline that it is about. */
export function makeAdmin(deps: AdminDeps): Admin {
  const { config, clock, log, metrics, hub, revocations, pool } = deps;
  const instance = clock.uuid();
  const podName = config.consumer.name;
  const ended = new AbortController();

  // ── What operators have decided ──
  const operatorLog = new PostgresOperatorLog(deps.controlPool);
  const controls = new ControlWatch({
    log: deps.operatorState?.(operatorLog) ?? operatorLog,
    clock,
    logger: log,
    metrics,
    revocations,
    switches: {
      ...(deps.dispatcher && { dispatcher: deps.dispatcher }),
      ...(deps.consumer && { consumer: deps.consumer }),
      delivery: { pause: () => hub.pauseDelivery(), resume: () => hub.resumeDelivery() },
    },
    onRevoked: () => {
      const connections = hub.endRevoked(revocations.isRevoked);
      if (connections > 0) log.info('connections_revoked', { connections });
    },
  });

  // ── What the pods say of themselves ──
  const views = new SessionViews(hub, podName);
  const fleet = new Fleet(clock);
  const bus = new PodBus({ publisher: deps.publisher, subscriber: deps.subscriber, clock });
  bus.onMessage((message) => {
    if (message.kind === 'changed') controls.hint();
    else if (message.kind === 'figures') fleet.hear(message.figures);
    else if (message.kind === 'bye') fleet.leave(message.instance);
  });
  const podTable = new PodTable(pool);
  const startedAt = clock.now();
  const startedMonotonic = clock.monotonic();
  const reporter = new PodReporter({ read: figures, fleet, bus, table: podTable, clock, log });
  const questions = new PodQuestions({ bus, fleet, table: () => podTable.read(), clock, instance, answer });

  // ── What the stores answer ──
  const inspector = new StreamInspector({
    url: config.redis.url,
    stream: config.stream.name,
    partitions: config.stream.partitions,
    maxLength: config.stream.maxLength,
    group: config.consumer.group,
    log,
  });
  const dispatchLog = new PostgresDispatchLog(pool, { payloadLimitBytes: deps.payloadLimitBytes });
  const watch = new PipelineWatch({
    fleet,
    controls,
    clock,
    pod: podName,
    epoch: deps.epoch,
    probes: {
      outbox: () => dispatchLog.backlog(),
      stream: () => inspector.state(),
      pods: () => podTable.read(),
    },
  });
  const history = new PipelineHistory(fleet, clock);

  const jobs = new OperatorJobs({ pool, clock, log, pod: podName, end: ended.signal });

  const server = createAdminServer({
    log,
    verifier: deps.verifier,
    consoleFolder: pageFolder('console'),
    handlers: {
      ...pipelineRoutes({
        pod: podName,
        watch,
        history,
        events: new EventStreams({ clock, isRevoked: revocations.isRevoked, end: ended.signal }),
      }),
      ...controlRoutes({ operatorLog, watch: controls, bus, fleet, questions }),
      ...deadLetterRoutes({
        deadLetters: new PostgresDeadLetters(pool),
        replays: new PostgresReplayLog(pool),
        jobs,
        questions,
        clock,
      }),
      ...inspectionRoutes({
        pool,
        inspector,
        fleet,
        questions,
        partitions: config.stream.partitions,
        retention: config.retention,
      }),
    },
  });

  async function figures(): Promise<PodFigures> {
    const { ready, degraded, reasons } = await deps.readiness();
    const summary = views.summary();
    const phase = deps.phase();
    return {
      v: 1,
      instance,
      name: podName,
      version: VERSION,
      startedAt,
      // Not the wall time, which may be set back: others would take what comes then for older than what they know.
      at: Math.round(startedAt + clock.monotonic() - startedMonotonic),
      epoch: deps.epoch(),
      state: phase ?? (ready ? (degraded.length > 0 ? 'degraded' : 'ready') : 'not_ready'),
      reasons: [...reasons, ...degraded],
      dispatcher: config.dispatcher.enabled,
      consumer: config.consumer.enabled,
      paused: controls.paused,
      busHeard: deps.subscriber.connected,
      connections: summary.total,
      slowConnections: summary.slow,
      conversations: hub.feeds.size,
      oldestUnreadSeconds: await valueOf(metrics.consumerOldestUnreadSeconds),
      pending: await valueOf(metrics.outboxPending),
      retention: config.retention,
      stream: { ...config.stream, group: config.consumer.group },
      totals: await readTotals(metrics),
    };
  }

  function answer(question: PodQuestion): PodAnswer {
    switch (question.about) {
      case 'readers':
        return { pod: podName, ...views.readers(question.conversationId, question.seq) };
      case 'reach':
        return { pod: podName, count: views.reach(question.conversationIds) };
      case 'connections':
        return { pod: podName, connections: views.connections(question.filter), summary: views.summary() };
      case 'logins':
        return { pod: podName, count: views.ofLogin(question.kind, question.subject) };
      default:
        // A newer pod's question.
        return { pod: podName };
    }
  }

  let loops: Promise<unknown> = Promise.resolve();
  return {
    async begin() {
      inspector.start();
      // Not knowing it, this pod would take revoked tokens, and work where all others pause.
      if (!(await controls.look())) {
        throw new Fault('unavailable', 'what operators have decided could not be read');
      }
      const { signal } = ended;
      loops = Promise.all([
        controls.run(signal),
        reporter.run(signal),
        watch.run(signal),
        history.run(signal),
      ]);
    },
    async listen() {
      await server.listen({ host: config.http.host, port: config.http.adminPort });
      return (server.server.address() as AddressInfo).port;
    },
    async stop() {
      ended.abort();
      server.server.closeAllConnections();
      await server.close();
      await loops;
      await jobs.settled();
      inspector.close();
    },
  };
}
