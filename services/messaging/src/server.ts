import type { AddressInfo } from 'node:net';
import { tooLargeAbove } from '@sanctum/protocol';
import { makeAdmin } from './admin.ts';
import type { DemoSigning } from './adapters/http/demo-routes.ts';
import { createHttpServer } from './adapters/http/http-server.ts';
import { originAllowed } from './adapters/http/origin.ts';
import { createTokenVerifier } from './adapters/http/token-verifier.ts';
import { PostgresBackgroundJobs, PRUNE_TIMEOUT_MS } from './adapters/postgres/background-jobs.ts';
import { PostgresConversationLog } from './adapters/postgres/conversation-log.ts';
import { PostgresDeadLetterLog } from './adapters/postgres/dead-letter-log.ts';
import { PostgresDispatchLog } from './adapters/postgres/dispatch-log.ts';
import { PostgresIntakeLog } from './adapters/postgres/intake-log.ts';
import { PostgresOperations } from './adapters/postgres/operations.ts';
import {
  CHANGE_TIMEOUT_MS,
  INTAKE_TIMEOUT_MS,
  OPERATIONS_TIMEOUT_MS,
  PostgresPool,
  READ_TIMEOUT_MS,
} from './adapters/postgres/pool.ts';
import { PostgresReaderLog } from './adapters/postgres/reader-log.ts';
import { RedisBusPublisher } from './adapters/redis/redis-bus-publisher.ts';
import { RedisBusSubscriber } from './adapters/redis/redis-bus-subscriber.ts';
import { RedisStreamReader } from './adapters/redis/redis-stream-reader.ts';
import { RedisStreamWriter } from './adapters/redis/redis-stream-writer.ts';
import { serveWebSockets } from './adapters/websocket/websocket-server.ts';
import { type Clock, systemClock } from './clock.ts';
import { bounds, type Config } from './config.ts';
import { DISPATCH_LANES, Dispatcher } from './dispatcher/dispatcher.ts';
import { Intake } from './intake/intake.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics.ts';
import { BackgroundJobs } from './operations/background-jobs.ts';
import type { OperatorStateLog } from './operations/control-watch.ts';
import { LogClock } from './operations/log-clock.ts';
import { LoopWatch } from './operations/loop-watch.ts';
import { PathProbe, probeConversationId } from './operations/path-probe.ts';
import { ReadinessCheck } from './operations/readiness.ts';
import { Revocations } from './operations/revocations.ts';
import type { BusPublisher, DispatchLog, IntakeLog, ReaderLog } from './ports.ts';
import { Consumer } from './realtime/consumer.ts';
import { Epochs } from './realtime/epochs.ts';
import { Hub } from './realtime/hub.ts';
import { pageFolder } from './page-folder.ts';
import { encodeWake } from './wake-message.ts';

/** How long the start waits for Redis before it goes on without. */
const REDIS_PATIENCE_MS = 2000;

export interface RunningServer {
  readonly port: number;
  readonly adminPort: number;
  /** Drains and ends; a second call waits for the first. */
  stop(): Promise<void>;
}

/** Ports that a test has wrapped, to force an interleaving or to lose something; nothing else sets them. */
export interface Overrides {
  readonly reader?: (reader: ReaderLog) => ReaderLog;
  readonly intakeLog?: (log: IntakeLog) => IntakeLog;
  readonly dispatchLog?: (log: DispatchLog) => DispatchLog;
  readonly publisher?: (publisher: BusPublisher) => BusPublisher;
  readonly operatorState?: (log: OperatorStateLog) => OperatorStateLog;
  readonly clock?: Clock;
}

/**
 * The one place where stages and adapters meet, in the order in which a message passes through them. Rejects when
 * Postgres cannot be had; Redis may come later.
 */
export async function startServer(
  config: Config,
  log: Log,
  overrides: Overrides = {},
): Promise<RunningServer> {
  const logClock = new LogClock(systemClock);
  const clock = overrides.clock ?? logClock;
  const metrics = createMetrics({ dispatcher: config.dispatcher.enabled, consumer: config.consumer.enabled });
  const loops = new LoopWatch(clock);
  const payloadLimitBytes = tooLargeAbove(config.payloadMaxBytes);
  let started = false;
  let draining = false;

  // ── The log ──
  const pool = (applicationName: string, maxConnections: number, callTimeoutMs: number) =>
    new PostgresPool({ url: config.postgres.url, applicationName, maxConnections, callTimeoutMs, log });
  const { groupsInFlightMax, sideLanesMax } = bounds.intake;
  const intakePool = pool('sanctum-intake', groupsInFlightMax + sideLanesMax, INTAKE_TIMEOUT_MS);
  const readerPool = pool('sanctum-reader', 6, READ_TIMEOUT_MS);
  const changePool = pool('sanctum-changes', 3, CHANGE_TIMEOUT_MS);
  const dispatchPool = pool('sanctum-dispatcher', DISPATCH_LANES + 2, READ_TIMEOUT_MS);
  const adminPool = pool('sanctum-admin', 4, READ_TIMEOUT_MS);
  const controlPool = pool('sanctum-controls', 2, READ_TIMEOUT_MS);
  const operationsPool = pool('sanctum-operations', 2, OPERATIONS_TIMEOUT_MS);
  const prunePool = pool('sanctum-prune', 2, PRUNE_TIMEOUT_MS);
  const operations = new PostgresOperations(operationsPool);
  const reader = wrapped(new PostgresReaderLog(readerPool, { payloadLimitBytes }), overrides.reader);
  const deadLetters = new PostgresDeadLetterLog(operationsPool);
  const readTime = () => operations.readTime();
  await logClock.compare({ readTime, metrics, log });
  const installationId = await operations.installationId();
  const epochs = new Epochs({ current: await reader.readEpoch(), reader, log });

  // ── Redis ──
  const redis = { url: config.redis.url, log };
  const stream = { stream: config.stream.name, maxLength: config.stream.maxLength };
  metrics.streamMaxLength.set(stream.maxLength);
  const busConnection = new RedisBusPublisher({ ...redis, installationId });
  const publisher = wrapped<BusPublisher>(busConnection, overrides.publisher);
  const subscriber = new RedisBusSubscriber({ ...redis, installationId });

  // ── Intake ──
  const dispatcher = config.dispatcher.enabled ? makeDispatcher() : undefined;
  const intake = new Intake({
    intakeLog: wrapped(new PostgresIntakeLog(intakePool), overrides.intakeLog),
    clock,
    log,
    onCommitted: (buckets) => {
      // Only a pod without a dispatcher of its own wakes the others: each of them would look, and find it done.
      if (dispatcher !== undefined) return dispatcher.dispatcher.wake(buckets);
      publisher.publish([{ channel: 'wake', bytes: encodeWake(buckets) }]).catch(() => {});
    },
  });

  // ── Dispatcher: outbox → stream ──
  function makeDispatcher() {
    const writer = new RedisStreamWriter({ ...redis, ...stream });
    return {
      writer,
      dispatcher: new Dispatcher({
        log: wrapped(new PostgresDispatchLog(dispatchPool, { payloadLimitBytes }), overrides.dispatchLog),
        writer,
        bus: subscriber,
        metrics,
        logger: log,
        clock,
        onRound: loops.watch('dispatcher'),
        settings: {
          tickMs: config.dispatcher.tickMs,
          batchSize: config.dispatcher.batchSize,
          maxAttempts: config.dispatcher.maxAttempts,
          partitions: config.stream.partitions,
        },
      }),
    };
  }

  // ── Consumer: stream → bus ──
  const consumer = config.consumer.enabled ? makeConsumer() : undefined;
  function makeConsumer() {
    const { group, name, batchSize, blockMs, claimIdleMs } = config.consumer;
    const streamReader = new RedisStreamReader({
      ...redis,
      ...stream,
      partitions: config.stream.partitions,
      group,
      consumer: name,
      batchSize,
      blockMs,
      claimIdleMs,
      payloadMaxBytes: payloadLimitBytes,
    });
    return {
      streamReader,
      consumer: new Consumer({
        reader: streamReader,
        publisher,
        deadLetters,
        currentEpoch: () => epochs.current,
        learnEpoch: () => epochs.learn(),
        metrics,
        log,
        clock,
        onRound: loops.watch('consumer'),
        settings: { group, claimIdleMs },
      }),
    };
  }

  // ── Hub: bus → sockets ──
  const revocations = new Revocations();
  const verifier = createTokenVerifier(config.auth, { clock, log, isRevoked: revocations.isRevoked });
  const hub = new Hub({
    settings: {
      heartbeatMs: config.websocket.heartbeatMs,
      payloadMaxBytes: config.payloadMaxBytes,
      maxClients: config.websocket.maxClients,
    },
    clock,
    metrics,
    log,
    epochs,
    reader,
    bus: subscriber,
    verifier,
  });

  // ── Running it ──
  const background = new AbortController();
  const probe = new PathProbe({
    conversationId: probeConversationId(installationId, config.consumer.name),
    outbox: operations,
    watch: (conversationId, listener) => hub.observe(conversationId, listener),
    clock,
    metrics,
    log,
  });
  const jobs = new BackgroundJobs({
    board: new PostgresBackgroundJobs({
      pool: operationsPool,
      prunePool,
      operations,
      pod: config.consumer.name,
      retention: config.retention,
    }),
    clock,
    metrics,
    log,
  });
  const pinging = new PostgresReaderLog(controlPool, { payloadLimitBytes });
  const readiness = new ReadinessCheck({
    // Not among the readers, whose connections may all be waited for.
    pingPostgres: () => pinging.readEpoch(),
    clock,
    inputs: () => ({
      started,
      draining,
      redisUp: busConnection.connected && subscriber.connected,
      stuck: loops.stuck(),
      pathBroken: config.consumer.enabled && probe.isBroken,
    }),
  });
  const http = createHttpServer({
    allowedOrigins: config.websocket.allowedOrigins,
    maxClients: config.websocket.maxClients,
    payloadMaxBytes: config.payloadMaxBytes,
    clock,
    log,
    metrics,
    verifier,
    intake,
    conversations: new PostgresConversationLog(readerPool, { changePool }),
    reader,
    readiness: () => readiness.check(),
    demo: { folder: pageFolder('demo'), signing: demoSigning(config) },
    onMembershipChanged: ({ userIds }) => {
      for (const userId of userIds) hub.users.hint(userId);
      const hints = userIds.map((userId) => ({ channel: `u:${userId}` as const, bytes: Buffer.alloc(0) }));
      publisher.publish(hints).catch(() => {});
    },
  });
  const cutWebSockets = serveWebSockets({
    server: http.server,
    hub,
    originAllowed: (origin, host) => originAllowed(origin, host, config.websocket.allowedOrigins),
  });

  // ── What operators see and do ──
  const admin = makeAdmin({
    operatorState: overrides.operatorState,
    config,
    clock,
    log,
    metrics,
    pool: adminPool,
    controlPool,
    payloadLimitBytes,
    publisher,
    subscriber,
    hub,
    dispatcher: dispatcher?.dispatcher,
    consumer: consumer?.consumer,
    verifier,
    revocations,
    readiness: () => readiness.check(),
    epoch: () => epochs.current,
    phase: () => (draining ? 'draining' : started ? undefined : 'starting'),
  });

  await jobs.makePartitions();
  for (const connection of [busConnection, subscriber, dispatcher?.writer, consumer?.streamReader])
    connection?.start();
  hub.start();
  await admin.begin();
  await consumer?.streamReader.whenReady(REDIS_PATIENCE_MS);
  dispatcher?.dispatcher.start();
  consumer?.consumer.start();
  await http.listen({ host: config.http.host, port: config.http.port });
  const adminPort = await admin.listen();
  const backgroundWork = Promise.all([
    logClock.follow({ readTime, metrics, log, signal: background.signal }),
    jobs.run(background.signal),
    consumer === undefined ? undefined : probe.run(background.signal),
  ]);
  started = true;
  const { port } = http.server.address() as AddressInfo;
  log.info('server_started', {
    port,
    admin_port: adminPort,
    dispatcher: config.dispatcher.enabled,
    consumer: config.consumer.enabled,
    epoch: epochs.current,
  });

  /** What faces users stops first; what carries accepted messages on stops last. */
  async function drain(): Promise<void> {
    draining = true;
    background.abort();
    log.info('server_draining', { connections: hub.sessions.size });
    await hub.drain(config.shutdownGraceMs * bounds.shutdown.socketsShare);
    // Whoever sends a request very slowly, or does not answer a close frame, does not hold up the end.
    const patience = clock.setTimer(config.shutdownGraceMs * bounds.shutdown.intakeShare, () => {
      http.server.closeAllConnections();
      cutWebSockets();
    });
    await http.close();
    patience.cancel();
    await intake.drain();
    await dispatcher?.dispatcher.stop();
    await consumer?.consumer.stop();
    await hub.stop();
    await backgroundWork;
    await admin.stop();
    for (const connection of [busConnection, subscriber, dispatcher?.writer, consumer?.streamReader])
      connection?.close();
    await Promise.all(
      [
        intakePool,
        readerPool,
        changePool,
        dispatchPool,
        operationsPool,
        prunePool,
        adminPool,
        controlPool,
      ].map((each) => each.end()),
    );
    log.info('server_stopped');
  }
  let stopping: Promise<void> | undefined;
  return { port, adminPort, stop: () => (stopping ??= drain()) };
}

/** What signs the demo's tokens, where it was asked for; the settings allow that only with a secret. */
function demoSigning({ demo, auth: { issuer, audience, key } }: Config): DemoSigning | undefined {
  return demo.issuesTokens && key.kind === 'secret' ? { issuer, audience, secret: key.secret } : undefined;
}

function wrapped<Port>(port: Port, wrap: ((port: Port) => Port) | undefined): Port {
  return wrap === undefined ? port : wrap(port);
}
