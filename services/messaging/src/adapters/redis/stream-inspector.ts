import { formatTime } from '@sanctum/protocol';
import type { ConsumerGroups } from '@sanctum/protocol/admin';
import type { Log } from '../../log.ts';
import type { StreamState } from '../../operations/pipeline-view.ts';
import { RedisConnection } from './connections.ts';
import { RedisFault } from './redis-fault.ts';
import { GroupFigures } from './stream-figures.ts';
import { streamName } from './stream-names.ts';

/** Entries that are looked through for one message. */
const SEARCH_MAX = 5000;
/** Entries come with their content: 100 of the largest are 9 MB. */
const SEARCH_PIECE = 100;
/**
 * How far around a row's `dispatched_at` its entry is looked for, step by step. Mostly it is milliseconds older; it may
 * be older by a batch's time, and clocks may differ.
 */
const SEARCH_REACHES_MS = [100, 1_000, 5_000, 30_000];

/** Replies to a write, whatever it would write. */
const DENIALS: ReadonlySet<string> = new Set(['MISCONF', 'READONLY', 'NOREPLICAS', 'OOM']);

export interface InspectorOptions {
  readonly url: string;
  readonly stream: string;
  readonly partitions: number;
  readonly maxLength: number;
  readonly group: string;
  readonly log: Log;
}

/** Where an entry stands. */
export interface FoundEntry {
  readonly state: 'found' | 'gone' | 'too_many';
  readonly entryId: string | undefined;
  readonly read: boolean;
  readonly pendingWith: string | undefined;
}

/** What a Redis says of itself. */
export interface RedisServerFacts {
  readonly version: string;
  readonly isValkey: boolean;
  readonly timeMs: number;
  readonly hasAof: boolean;
  readonly hasSnapshots: boolean;
  readonly policy: string;
  /** Bytes; 0: no limit. */
  readonly maxMemory: number;
  readonly usedMemory: number;
}

/** Reads what operators want to know of the stream, on a connection of its own; changes nothing. */
export class StreamInspector {
  readonly #connection: RedisConnection;
  readonly #figures: GroupFigures;
  readonly #streams: readonly string[];
  readonly #options: InspectorOptions;

  constructor(options: InspectorOptions) {
    this.#options = options;
    this.#connection = new RedisConnection({ url: options.url, name: 'inspector', log: options.log });
    this.#figures = new GroupFigures(options.group, options.maxLength);
    this.#streams = Array.from({ length: options.partitions }, (_, i) => streamName(options.stream, i));
  }

  start(): void {
    this.#connection.start();
  }

  whenReady(timeoutMs: number): Promise<boolean> {
    return this.#connection.whenReady(timeoutMs);
  }

  close(): void {
    this.#connection.close();
  }

  async state(): Promise<StreamState> {
    const [{ pending, oldestUnreadSeconds }, lengths, refuses] = await Promise.all([
      this.#figures.read(this.#connection, this.#streams),
      this.#lengths(),
      this.#refusal(),
    ]);
    const { maxLength } = this.#options;
    return {
      length: lengths.reduce((sum, each) => sum + each, 0),
      maxLength: maxLength * lengths.length,
      fullest: Math.max(...lengths) / maxLength,
      pending,
      oldestUnreadSeconds,
      refuses,
    };
  }

  /** What an operator has set, and what the server is. Where `CONFIG` is forbidden, `INFO` tells enough. */
  async server(): Promise<RedisServerFacts> {
    return this.#connection.run(async (client) => {
      const [time, info] = await Promise.all([client.time(), client.info()]);
      const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
      const save = await client.config('GET', 'save').catch(() => []);
      return {
        version: field('valkey_version') || field('redis_version'),
        isValkey: field('valkey_version') !== '',
        timeMs: Number(time[0]) * 1000 + Number(time[1]) / 1000,
        hasAof: field('aof_enabled') === '1',
        hasSnapshots: ((save as string[])[1] ?? '') !== '',
        policy: field('maxmemory_policy'),
        maxMemory: Number(field('maxmemory')),
        usedMemory: Number(field('used_memory')),
      };
    });
  }

  /** `XINFO` of each stream that there is; `isAlive` is asked about the consumers of our own group alone. */
  async groups(isAlive: (consumer: string) => boolean): Promise<ConsumerGroups> {
    const streams: ConsumerGroups['streams'] = [];
    for (const name of this.#streams) {
      const found = await this.#connection.run(async (client) => {
        if ((await client.exists(name)) === 0) return undefined;
        const info = record(await client.xinfo('STREAM', name));
        const groups = ((await client.xinfo('GROUPS', name)) as unknown[][]).map(record);
        const consumers = await Promise.all(
          groups.map((group) => client.xinfo('CONSUMERS', name, String(group['name']))),
        );
        return { info, groups, consumers };
      });
      if (found === undefined) continue;
      streams.push({
        name,
        length: Number(found.info['length']),
        first_entry_at: entryTime(found.info['first-entry']),
        last_entry_at: entryTime(found.info['last-entry']),
        groups: found.groups.map((group, i) => ({
          name: String(group['name']),
          pending: Number(group['pending']),
          last_delivered_id: String(group['last-delivered-id']),
          lag: typeof group['lag'] === 'number' ? group['lag'] : null,
          consumers: (found.consumers[i] as unknown[][]).map(record).map((consumer) => ({
            name: String(consumer['name']),
            pending: Number(consumer['pending']),
            idle_ms: Number(consumer['idle']),
            alive: group['name'] === this.#options.group ? isAlive(String(consumer['name'])) : null,
          })),
        })),
      });
    }
    return { streams };
  }

  /** Looks for a message's latest entry, from where it was dispatched outwards. */
  async find(message: {
    readonly conversationId: string;
    readonly messageId: string;
    readonly partition: number;
    readonly dispatchedAt: number;
  }): Promise<FoundEntry> {
    const stream = this.#streams[message.partition % this.#streams.length] as string;
    const nothing = { entryId: undefined, read: false, pendingWith: undefined };
    let seen = 0;
    for (const { from, to } of spansAround(message.dispatchedAt)) {
      let end = String(to);
      for (;;) {
        const entries = await this.#connection.run((client) =>
          client.xrevrange(stream, end, from, 'COUNT', SEARCH_PIECE),
        );
        for (const [id, fields] of entries) {
          if (isOf(fields, message)) return { state: 'found', ...(await this.#standing(stream, id)) };
        }
        seen += entries.length;
        if (seen >= SEARCH_MAX) return { state: 'too_many', ...nothing };
        if (entries.length < SEARCH_PIECE) break;
        end = `(${entries.at(-1)![0]}`;
      }
    }
    return { state: 'gone', ...nothing };
  }

  /** Also where no group reads yet. */
  async #lengths(): Promise<number[]> {
    const replies = await this.#connection.pipeline((pipeline) => {
      for (const stream of this.#streams) pipeline.xlen(stream);
    });
    return replies.map(Number);
  }

  async #standing(stream: string, entryId: string): Promise<Omit<FoundEntry, 'state'>> {
    const { group } = this.#options;
    return this.#connection.run(async (client) => {
      const groups = ((await client.xinfo('GROUPS', stream)) as unknown[][]).map(record);
      const ours = groups.find(({ name }) => name === group);
      const read = ours !== undefined && compareIds(entryId, String(ours['last-delivered-id'])) <= 0;
      if (!read) return { entryId, read, pendingWith: undefined };
      const pending = (await client.xpending(stream, group, entryId, entryId, 1)) as [string, string][];
      return { entryId, read, pendingWith: pending[0]?.[1] };
    });
  }

  /** Why Redis would refuse an entry now. */
  async #refusal(): Promise<string | undefined> {
    const [denied, info] = await Promise.all([
      this.#deniesWrites(),
      this.#connection.run((client) => client.info('memory')),
    ]);
    if (denied !== undefined) return denied;
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? '';
    const limit = field('maxmemory');
    // Our keys never expire: where only such may be evicted, none is.
    const isFull = limit > 0 && field('used_memory') >= limit && !policy.startsWith('allkeys-');
    return isFull ? 'OOM' : undefined;
  }

  /** By a write that changes nothing: that a snapshot failed, or replicas are missing, stands in no one figure. */
  async #deniesWrites(): Promise<string | undefined> {
    try {
      await this.#connection.run((client) => client.del(`${this.#options.stream}:nothing`));
      return undefined;
    } catch (error) {
      if (!(error instanceof RedisFault)) throw error;
      if (DENIALS.has(error.reason)) return error.reason;
      // An operator's account may read only, and says nothing of the pods'.
      if (error.reason === 'NOPERM') return undefined;
      throw error;
    }
  }
}

/** Spans of milliseconds, both ends included, nearest first; of two as near the later, since the latest entry counts. */
function spansAround(at: number): { from: number; to: number }[] {
  return SEARCH_REACHES_MS.flatMap((reach, i) => {
    const inner = SEARCH_REACHES_MS[i - 1];
    const [from, to] = [Math.max(0, at - reach), at + reach];
    if (inner === undefined) return [{ from, to }];
    return [
      { from: at + inner + 1, to },
      { from, to: Math.max(0, at - inner - 1) },
    ];
  });
}

function isOf(fields: readonly string[], message: { conversationId: string; messageId: string }): boolean {
  const field = (name: string) => fields[fields.indexOf(name) + 1];
  return field('message_id') === message.messageId && field('conversation_id') === message.conversationId;
}

function record(flat: unknown): Record<string, unknown> {
  const list = flat as unknown[];
  const fields: Record<string, unknown> = {};
  for (let i = 0; i + 1 < list.length; i += 2) fields[String(list[i])] = list[i + 1];
  return fields;
}

function entryTime(entry: unknown): string | null {
  const id = Array.isArray(entry) ? String(entry[0]) : undefined;
  return id === undefined ? null : formatTime(Number(id.split('-')[0]));
}

function compareIds(a: string, b: string): number {
  const [aMs = 0, aSeq = 0] = a.split('-').map(Number);
  const [bMs = 0, bSeq = 0] = b.split('-').map(Number);
  return aMs - bMs || aSeq - bSeq;
}
