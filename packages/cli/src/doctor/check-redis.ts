import type { StreamInspector } from '@sanctum/messaging/adapters/redis/stream-inspector';
import type { PodFigures } from '@sanctum/messaging/operations/pod-figures';
import { ageText } from '../operator/texts.ts';
import { clock } from './check-postgres.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const OLDEST_MAJOR = 7;
/** As the alert ConsumerHighLag. */
const OLDEST_UNREAD_SECONDS = 10;
/** A full Redis refuses the write that would trim the stream: a lower limit alone frees nothing. */
const MORE_ROOM =
  "Raise maxmemory, or cut each stream: redis-cli XTRIM <stream> MAXLEN '~' <n>; then lower REDIS_STREAM_MAXLEN.";

/** Redis may lose everything, and costs latency then; but it must not throw away what it holds. */
export async function checkRedis(inspector: StreamInspector, now: () => number): Promise<Finding[]> {
  const before = now();
  const [server, { refuses }] = await Promise.all([inspector.server(), inspector.state()]);
  const skewMs = Math.abs(server.timeMs - (before + now()) / 2);
  const version = `${server.isValkey ? 'Valkey' : 'Redis'} ${server.version}`;
  return [
    server.isValkey || Number(server.version.split('.')[0]) >= OLDEST_MAJOR
      ? ok('redis version', version)
      : problem('redis version', `${version} is too old`, 'Use Redis 7.0 or newer, or Valkey.'),
    ...clock('redis clock', skewMs),
    ...(refuses === undefined
      ? []
      : [problem('redis writes', `Redis refuses them (${refuses})`, remedyOf(refuses))]),
    server.hasAof || server.hasSnapshots
      ? ok('redis persistence', server.hasAof ? 'append-only file' : 'snapshots')
      : warning(
          'redis persistence',
          'neither an append-only file nor snapshots: a restart empties the stream, and all goes by the slow path',
          'CONFIG SET appendonly yes; CONFIG REWRITE',
        ),
    server.policy === 'noeviction'
      ? ok('redis eviction', 'noeviction')
      : problem(
          'redis eviction',
          `maxmemory-policy is ${server.policy}: Redis may throw the stream away when it is full`,
          'CONFIG SET maxmemory-policy noeviction; CONFIG REWRITE',
        ),
    ...(server.maxMemory > 0 && server.usedMemory > 0.85 * server.maxMemory
      ? [
          problem(
            'redis memory',
            `${Math.round((100 * server.usedMemory) / server.maxMemory)} % of maxmemory is used`,
            MORE_ROOM,
          ),
        ]
      : []),
  ];
}

function remedyOf(refusal: string): string {
  if (refusal === 'MISCONF')
    return 'Its disk takes no snapshot or append-only file: make room there; INFO persistence says which failed.';
  if (refusal === 'OOM') return MORE_ROOM;
  return 'It is a replica, or lacks replicas (min-replicas-to-write): name the primary in REDIS_URL, or mend them.';
}

/** The stream's group, entries that nobody reads, and consumers that left something behind. */
export async function checkGroup(
  inspector: StreamInspector,
  { group, pods }: { readonly group: string; readonly pods: readonly PodFigures[] },
): Promise<Finding[]> {
  const alive = new Set(pods.filter(({ consumer }) => consumer).map(({ name }) => name));
  const { streams } = await inspector.groups((consumer) => alive.has(consumer));
  if (streams.length === 0) {
    return [
      warning(
        'consumer group',
        'there is no stream yet',
        'Nothing was dispatched so far: is the dispatcher on?',
      ),
    ];
  }
  const findings: Finding[] = [];
  const { oldestUnreadSeconds } = await inspector.state();
  const isPaused = pods.some(({ paused }) => paused.includes('consumer'));
  if (oldestUnreadSeconds > OLDEST_UNREAD_SECONDS && !isPaused) {
    findings.push(
      problem(
        'consumer group',
        `the oldest entry that ${group} has not read waits for ${ageText(oldestUnreadSeconds)}`,
        'Is CONSUMER_ENABLED=true anywhere? If so, and `sanctum status` shows them at work, scale the consumers.',
      ),
    );
  }
  for (const stream of streams) {
    const ours = stream.groups.find(({ name }) => name === group);
    if (ours === undefined) {
      findings.push(
        warning(
          'consumer group',
          `${stream.name} has no group ${group}: nobody reads it`,
          'Start a pod with CONSUMER_ENABLED=true: it makes the group.',
        ),
      );
      continue;
    }
    const left = ours.consumers.filter((consumer) => !consumer.alive && consumer.pending > 0);
    if (left.length > 0 && alive.size === 0) {
      const pending = left.reduce((sum, consumer) => sum + consumer.pending, 0);
      findings.push(
        warning(
          'consumer group',
          `${pending} entries of ${stream.name} are pending with consumers that are gone`,
          'A living consumer takes them over after CONSUMER_CLAIM_IDLE_MS: start one.',
        ),
      );
    } else findings.push(ok('consumer group', `${group} on ${stream.name}, ${ours.pending} pending`));
  }
  return findings;
}
