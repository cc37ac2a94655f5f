import { tooLargeAbove } from '@sanctum/protocol';
import type { MemoryBus } from '../../adapters/memory/memory-bus.ts';
import type { MemoryRedis } from '../../adapters/memory/memory-redis.ts';
import { Dispatcher } from '../../dispatcher/dispatcher.ts';
import { Intake } from '../../intake/intake.ts';
import { silentLog } from '../../log.ts';
import { createMetrics } from '../../metrics.ts';
import type { BusPublisher, ConversationLog, DispatchLog, ReaderLog, StreamWriter } from '../../ports.ts';
import { Consumer } from '../../realtime/consumer.ts';
import type { Epochs } from '../../realtime/epochs.ts';
import { Hub } from '../../realtime/hub.ts';
import { encodeWake } from '../../wake-message.ts';
import { bent } from './bends.ts';
import type { PodPlan } from './scenario.ts';
import type { PostgresLink } from './sim-link.ts';
import type { SimProcess } from './sim-process.ts';
import type { SimWorld } from './sim-world.ts';

export const GROUP = 'messaging-hub';
const PAYLOAD_MAX_BYTES = 65_536;
export const PAYLOAD_LIMIT_BYTES = tooLargeAbove(PAYLOAD_MAX_BYTES);
const CLIENTS_MAX = 1000;

/** One set for all pods of the process spares their making. */
export const metrics = createMetrics({ dispatcher: true, consumer: true });

/** How often some hub had to read what the bus should have brought, since the process began. */
export async function slowPathCount(): Promise<number> {
  return (await metrics.hubSlowPath.get()).values[0]?.value ?? 0;
}

/** The stages of a pod, once it has started. */
export interface Stages {
  readonly intake: Intake;
  readonly hub: Hub;
  readonly dispatcher: Dispatcher | undefined;
  readonly consumer: Consumer | undefined;
  readonly reader: ReaderLog;
  readonly conversations: ConversationLog;
  readonly publisher: BusPublisher;
}

/** A pod's connections to Redis. */
export interface PodConnections {
  readonly publisher: ReturnType<MemoryBus['publisher']>;
  readonly subscriber: ReturnType<MemoryBus['subscriber']>;
  readonly writer: ReturnType<MemoryRedis['writer']>;
  readonly reader: ReturnType<MemoryRedis['reader']>;
}

export function podConnections(
  { bus, redis, scenario }: SimWorld,
  { consumerName }: PodPlan,
): PodConnections {
  const { partitions, consumerBatch: batchSize, blockMs, claimIdleMs } = scenario.settings;
  return {
    publisher: bus.publisher(),
    subscriber: bus.subscriber(),
    writer: redis.writer(),
    reader: redis.reader({
      group: GROUP,
      consumer: consumerName,
      partitions,
      batchSize,
      blockMs,
      claimIdleMs,
    }),
  };
}

/** The real stages, put together as server.ts does it, over the world's log, stream and bus. */
export function composeStages(
  world: SimWorld,
  plan: PodPlan,
  parts: {
    readonly process: SimProcess;
    readonly postgres: PostgresLink;
    readonly redis: PodConnections;
    readonly epochs: Epochs;
    readonly reader: ReaderLog;
  },
): Stages {
  const { process, postgres, redis, epochs, reader } = parts;
  const { clock } = process;
  const { log, scenario, intakeLog } = world;
  const { settings } = scenario;
  const { watch, bends } = world;
  const bus = bent(bends, 'bus', { port: process.gated(redis.subscriber), clock });
  const broadcaster = world.repeating(process.gated(watch.publisher(redis.publisher)), process);
  const publisher = bent(bends, 'publisher', { port: broadcaster, clock });
  const streamReader = process.gated(watch.reader(redis.reader, () => epochs.current));
  const dispatcher = !plan.dispatcher
    ? undefined
    : new Dispatcher({
        log: bent(bends, 'dispatchLog', { port: postgres.remote<DispatchLog>(log.dispatch), clock }),
        writer: bent(bends, 'writer', { port: process.gated<StreamWriter>(redis.writer), clock }),
        bus,
        metrics,
        logger: silentLog,
        clock,
        settings: {
          tickMs: settings.tickMs,
          batchSize: settings.batchSize,
          maxAttempts: settings.maxAttempts,
          partitions: settings.partitions,
        },
      });
  const intake = new Intake({
    intakeLog: bent(bends, 'intakeLog', { port: postgres.remote(intakeLog), clock }),
    clock,
    log: silentLog,
    onCommitted: (buckets) => {
      if (dispatcher !== undefined) return dispatcher.wake(buckets);
      publisher.publish([{ channel: 'wake', bytes: encodeWake(buckets) }]).catch(() => {});
    },
  });
  const consumer = !plan.consumer
    ? undefined
    : new Consumer({
        reader: bent(bends, 'streamReader', { port: streamReader, clock }),
        publisher,
        deadLetters: postgres.remote(log.deadLetters),
        currentEpoch: () => epochs.current,
        learnEpoch: () => epochs.learn(),
        metrics,
        log: silentLog,
        clock,
        settings: { group: GROUP, claimIdleMs: settings.claimIdleMs },
      });
  const hub = new Hub({
    settings: {
      heartbeatMs: settings.heartbeatMs,
      payloadMaxBytes: PAYLOAD_MAX_BYTES,
      maxClients: CLIENTS_MAX,
    },
    clock,
    metrics,
    log: silentLog,
    epochs,
    reader,
    bus,
    verifier: {
      verify: (token) => ({
        ok: true,
        userId: token ?? '',
        scopes: new Set(),
        expiresAt: clock.now() + world.tokenLifeMs,
        issuedAt: clock.now(),
      }),
    },
  });
  const conversations = postgres.remote<ConversationLog>(log.conversations);
  const stages = { intake, hub, dispatcher, consumer, reader, conversations, publisher };
  return bent(bends, 'stages', { port: stages, clock });
}
