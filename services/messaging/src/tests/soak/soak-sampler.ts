import { Redis } from 'ioredis';
import pg from 'pg';
import type { SoakServers } from './soak-servers.ts';
import { descriptorsOf, figuresOf } from './soak-pod.ts';
import type { Point, SlopeBound } from './slopes.ts';

const MIB = 2 ** 20;
/** A full collection in a pod stops it for some tens of milliseconds: not in every sample. */
const COLLECT_EVERY = 3;
/** Latencies kept between two samples. */
const LATENCIES_MAX = 50_000;
const STREAM = 'sanctum:messages';
const GROUP = 'messaging-hub';

const TABLES = `
  SELECT sum(pg_table_size(relid)) FILTER (WHERE is_outbox)::float8 AS outbox_bytes,
    sum(pg_indexes_size(relid)) FILTER (WHERE is_outbox)::float8 AS outbox_index_bytes,
    sum(pg_total_relation_size(relid)) FILTER (WHERE NOT is_outbox)::float8 AS state_bytes,
    count(*) FILTER (WHERE relname LIKE 'message_outbox_p%')::int AS partitions
  FROM (SELECT c.oid AS relid, c.relname, c.relname LIKE 'message_outbox%' AS is_outbox
        FROM pg_class c WHERE c.relnamespace = 'messaging'::regnamespace AND c.relkind = 'r') t`;
const COUNTS = `
  SELECT (SELECT count(*) FROM messaging.message_outbox WHERE status = 'pending')::int AS pending,
    (SELECT count(*) FROM messaging.conversation)::int AS conversations,
    (SELECT count(*) FROM messaging.conversation_member)::int AS memberships`;

/** What may grow by how much while it is judged. */
export const BOUNDS = {
  rss: { unit: 'bytes', share: 0.15, floor: 48 * MIB },
  heap: { unit: 'bytes', share: 0.1, floor: 12 * MIB },
  descriptors: { unit: 'descriptors', share: 0.1, floor: 24 },
  resources: { unit: 'resources', share: 0.1, floor: 24 },
  timers: { unit: 'timers', share: 0.2, floor: 100 },
  pendingEntries: { unit: 'entries', share: 0.5, floor: 500 },
  backlog: { unit: 'rows', share: 0.5, floor: 500 },
  tableBytes: { unit: 'bytes', share: 0.15, floor: 8 * MIB },
  rowsBeyond: { unit: 'rows', share: 0, floor: 50 },
  bytesEach: { unit: 'bytes', share: 0.15, floor: 256 },
  partitions: { unit: 'partitions', share: 0.1, floor: 3 },
  redisBytes: { unit: 'bytes', share: 0.15, floor: 16 * MIB },
  latency: { unit: 'ms', share: 0.5, floor: 500 },
} satisfies Record<string, SlopeBound>;

export interface Series {
  readonly points: Point[];
  readonly bound: SlopeBound;
}

export interface SamplerOptions {
  readonly squeezed: boolean;
  readonly acceptedCount: () => number;
  /** See SoakCast. */
  readonly rowsMade: () => number;
}

/** Looks at everything that must not grow, at even intervals. */
export class SoakSampler {
  readonly series = new Map<string, Series>();
  readonly #servers: SoakServers;
  readonly #squeezed: boolean;
  readonly #acceptedCount: () => number;
  readonly #rowsMade: () => number;
  readonly #database: pg.Client;
  readonly #redis: Redis;
  #latencies: number[] = [];
  #samples = 0;

  private constructor(servers: SoakServers, options: SamplerOptions, database: pg.Client) {
    this.#servers = servers;
    this.#squeezed = options.squeezed;
    this.#acceptedCount = options.acceptedCount;
    this.#rowsMade = options.rowsMade;
    this.#database = database;
    this.#redis = new Redis(servers.redis.url);
    this.#redis.on('error', () => undefined);
  }

  static async start(servers: SoakServers, options: SamplerOptions): Promise<SoakSampler> {
    const database = new pg.Client({ connectionString: servers.postgres.url });
    database.on('error', () => undefined);
    await database.connect();
    return new SoakSampler(servers, options, database);
  }

  addLatency(ms: number): void {
    if (this.#latencies.length < LATENCIES_MAX) this.#latencies.push(ms);
  }

  /** The latest value of a series. */
  latest(name: string): number {
    return this.series.get(name)?.points.at(-1)?.value ?? 0;
  }

  /** @param clientSockets connections of the run's own to the pods */
  async sample(clientSockets: number): Promise<void> {
    const atMs = performance.now();
    const add = (name: string, bound: SlopeBound, value: number) => {
      const series = this.series.get(name) ?? { points: [], bound };
      series.points.push({ atMs, value });
      this.series.set(name, series);
    };
    const collect = this.#samples % COLLECT_EVERY === 0;
    this.#samples += 1;
    // Devices move between pods, and the load's own connections come and go: what is left over all pods must not grow.
    const sums = { resources: -clientSockets, timers: 0, descriptors: -clientSockets };
    for (const [n, pod] of this.#servers.pods.entries()) {
      const figures = await figuresOf(pod, { collect });
      add(`pod ${n + 1} rss`, BOUNDS.rss, figures.rssBytes);
      if (collect) add(`pod ${n + 1} heap`, BOUNDS.heap, figures.heapBytes);
      sums.resources += figures.resources;
      sums.timers += figures.timers;
      sums.descriptors += await descriptorsOf(pod);
    }
    for (const name of ['resources', 'timers', 'descriptors'] as const) add(name, BOUNDS[name], sums[name]);
    const pending = await this.#redis.xpending(STREAM, GROUP).catch(() => [0]);
    add('pending entries', BOUNDS.pendingEntries, Number(pending[0]));
    const memory = /used_memory:(\d+)/.exec(await this.#redis.info('memory'));
    add('redis memory', BOUNDS.redisBytes, Number(memory?.[1]));

    const { rows: tables } = await this.#database.query(TABLES);
    const { rows: counts } = await this.#database.query(COUNTS);
    const { outbox_bytes, outbox_index_bytes, state_bytes, partitions } = tables[0];
    add('backlog', BOUNDS.backlog, counts[0].pending);
    // Over days nothing expires yet: then it is the size of a message that must not grow.
    const messages = Math.max(1, this.#acceptedCount());
    const [bound, share] = this.#squeezed ? [BOUNDS.tableBytes, 1] : [BOUNDS.bytesEach, messages];
    const each = this.#squeezed ? '' : ' a message';
    add(`outbox table${each}`, bound, outbox_bytes / share);
    add(`outbox indexes${each}`, bound, outbox_index_bytes / share);
    if (this.#squeezed) add('partitions', BOUNDS.partitions, partitions);
    // A conversation's counter stays for ever, so that no place of it is given twice, and a membership at least until
    // whoever was away has been told. So there are more with each conversation that is made; but no more than that,
    // however often its members come and go, and the size of one must not grow.
    const rows = counts[0].conversations + counts[0].memberships;
    add('counters and members beyond those made', BOUNDS.rowsBeyond, rows - this.#rowsMade());
    add('counters and members a row', BOUNDS.bytesEach, state_bytes / Math.max(1, rows));

    const latencies = Float64Array.from(this.#latencies.splice(0)).sort();
    if (latencies.length === 0) return;
    const at = (quantile: number) => latencies[Math.floor((latencies.length - 1) * quantile)]!;
    add('p95', BOUNDS.latency, at(0.95));
    add('p99', BOUNDS.latency, at(0.99));
  }

  async lastSeqOf(conversationId: string): Promise<number> {
    const { rows } = await this.#database.query<{ last_seq: string }>(
      'SELECT last_seq FROM messaging.conversation WHERE conversation_id = $1',
      [conversationId],
    );
    return Number(rows[0]?.last_seq ?? 0);
  }

  async rowsKept(): Promise<number> {
    const { rows } = await this.#database.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM messaging.message_outbox WHERE event_type <> 'SyntheticProbe'`,
    );
    return rows[0]!.count;
  }

  /** Counters and memberships. */
  async stateRowsKept(): Promise<number> {
    const { rows } = await this.#database.query<{ conversations: number; memberships: number }>(COUNTS);
    return rows[0]!.conversations + rows[0]!.memberships;
  }

  /** How the background jobs stand at the end. */
  async jobs(): Promise<Record<string, { succeeded: boolean; lastError: string | null }>> {
    const { rows } = await this.#database.query(
      'SELECT job, last_succeeded_at IS NOT NULL AS succeeded, last_error FROM messaging.background_jobs',
    );
    return Object.fromEntries(
      rows.map(({ job, succeeded, last_error }) => [job, { succeeded, lastError: last_error }]),
    );
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    await this.#database.end().catch(() => undefined);
  }
}
