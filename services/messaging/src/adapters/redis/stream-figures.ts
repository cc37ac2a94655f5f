import type { ChainableCommander } from 'ioredis';
import type { RedisConnection } from './connections.ts';

/** What `exec` gives: error and reply of each command. */
export type PipelineReplies = readonly (readonly [error: Error | null, reply: unknown])[];

/** As `StreamReader.figures()` gives them. */
export interface StreamFigures {
  readonly pending: number;
  readonly oldestUnreadSeconds: number;
  readonly trimmedUnread: number;
  readonly length: number;
  readonly unread: number;
}

/** What `XINFO` says of one stream and one group; undefined where the group is missing. */
interface GroupState {
  readonly length: number;
  readonly entriesAdded: number;
  /** Redis knows it only once the group has read something. */
  readonly entriesRead: number | undefined;
  readonly pending: number;
  readonly lastDeliveredId: string;
}

/**
 * The group's figures over all partitions, and the count of entries that were trimmed before the group read them.
 *
 * entries-added − length have left the stream, entries-read of them were read: the difference was trimmed
 * unread. It is valid only until the next read, which moves the group behind the hole; so it is taken right
 * before each read, in one pipeline with it, by the consumer that reads: so it is counted once for the whole
 * group. That costs Redis 20–200 µs a read, and is done only while the group is at least half of MAXLEN behind.
 * (`lag` of `XINFO GROUPS` is wrong on 7.0 once entries were trimmed.)
 */
export class GroupFigures {
  readonly #group: string;
  readonly #riskyBacklog: number;
  /** How far into each stream the hole was counted already: a read that finds nothing does not move the group. */
  readonly #counted = new Map<string, number>();
  /**
   * What entries-read lags behind at the end of a stream: once entries were trimmed unread, Redis 7.0 goes on counting
   * from before the hole.
   */
  readonly #drift = new Map<string, number>();
  #atRisk = true;
  #trimmedUnread = 0;

  constructor(group: string, maxLength: number) {
    this.#group = group;
    this.#riskyBacklog = maxLength / 2;
  }

  /** The group is so far behind that entries may be trimmed unread: reads are to be preceded by `ask`. */
  get atRisk(): boolean {
    return this.#atRisk;
  }

  /** Adds what `heard` needs to a pipeline: two replies for each stream. */
  ask(pipeline: ChainableCommander, streams: readonly string[]): void {
    for (const stream of streams) pipeline.xinfo('STREAM', stream).xinfo('GROUPS', stream);
  }

  /** The replies of a pipeline that began with `ask` and then read. */
  heard(streams: readonly string[], replies: PipelineReplies): void {
    this.#states(streams, replies).forEach((state, i) => {
      if (state === undefined || state.entriesRead === undefined) return;
      const stream = streams[i] as string;
      const removed = state.entriesAdded - state.length;
      const before = this.#counted.get(stream) ?? 0;
      // Fewer than were counted: the stream began anew.
      const known = Math.max(state.entriesRead, before <= removed ? before : 0);
      this.#trimmedUnread += Math.max(0, removed - known);
      this.#counted.set(stream, removed);
    });
  }

  async read(connection: RedisConnection, streams: readonly string[]): Promise<StreamFigures> {
    const states = await connection.run(async (client) => {
      const pipeline = client.pipeline();
      this.ask(pipeline, streams);
      return this.#states(streams, (await pipeline.exec()) ?? []);
    });
    const replies = await connection.pipeline((pipeline) => {
      pipeline.time();
      states.forEach((state, i) => {
        pipeline.xrange(
          streams[i] as string,
          state === undefined ? '-' : `(${state.lastDeliveredId}`,
          '+',
          'COUNT',
          1,
        );
      });
    });
    const [time, ...unread] = replies as [(number | string)[], ...[id: string, fields: string[]][][]];
    // Ids are the server's time, so its clock is the one to compare with.
    const nowMs = Number(time[0]) * 1000 + Number(time[1]) / 1000;
    const backlogs = states.map((state, i) =>
      state === undefined ? undefined : this.#backlog(streams[i] as string, state, unread[i]?.length === 0),
    );
    this.#atRisk = backlogs.some((backlog) => backlog === undefined || backlog >= this.#riskyBacklog);
    const ages = unread.map(([entry]) => (entry === undefined ? 0 : nowMs - Number(entry[0].split('-')[0])));
    const figures = {
      pending: of(states, (state) => state.pending).reduce((sum, each) => sum + each, 0),
      // Each partition is trimmed by itself.
      length: Math.max(0, ...of(states, (state) => state.length)),
      unread: Math.max(0, ...backlogs.map((backlog, i) => Math.min(backlog ?? 0, states[i]?.length ?? 0))),
      oldestUnreadSeconds: Math.max(0, ...ages) / 1000,
      trimmedUnread: this.#trimmedUnread,
    };
    this.#trimmedUnread = 0;
    return figures;
  }

  /** Entries that the group has not read, trimmed ones among them; `isAtEnd`: there is none behind the last it read. */
  #backlog(stream: string, { entriesAdded, entriesRead, length }: GroupState, isAtEnd: boolean): number {
    const left = entriesRead === undefined ? length : entriesAdded - entriesRead;
    if (isAtEnd) this.#drift.set(stream, left);
    // More than there is left: the stream began anew.
    else if ((this.#drift.get(stream) ?? 0) > left) this.#drift.delete(stream);
    return left - (this.#drift.get(stream) ?? 0);
  }

  #states(streams: readonly string[], replies: PipelineReplies): (GroupState | undefined)[] {
    return streams.map((_, i) => {
      const [streamError, stream] = replies[2 * i] ?? [];
      const [groupsError, groups] = replies[2 * i + 1] ?? [];
      // A stream that is not there yet is an error of its command, and none of the connection.
      if (streamError || groupsError) return undefined;
      return stateOf(stream as unknown[], groups as unknown[][], this.#group);
    });
  }
}

function stateOf(stream: unknown[], groups: unknown[][], name: string): GroupState | undefined {
  const group = groups.map(fieldsOf).find((fields) => fields.get('name') === name);
  if (group === undefined) return undefined;
  const fields = fieldsOf(stream);
  return {
    length: Number(fields.get('length')),
    entriesAdded: Number(fields.get('entries-added')),
    entriesRead:
      typeof group.get('entries-read') === 'number' ? Number(group.get('entries-read')) : undefined,
    pending: Number(group.get('pending')),
    lastDeliveredId: String(group.get('last-delivered-id')),
  };
}

function fieldsOf(flat: unknown[]): Map<unknown, unknown> {
  const fields = new Map<unknown, unknown>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i], flat[i + 1]);
  return fields;
}

function of(states: readonly (GroupState | undefined)[], figure: (state: GroupState) => number): number[] {
  return states.map((state) => (state === undefined ? 0 : figure(state)));
}
