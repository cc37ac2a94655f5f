import { Fault } from '../../errors.ts';
import type {
  BusMessage,
  BusPublisher,
  Channel,
  DispatchLog,
  OutboxRow,
  ReaderLog,
  Verdict,
} from '../../ports.ts';

/*
 * The named fault points: places of the pipeline that a test takes hold of from outside, by wrapping a port, so
 * that an interleaving is forced and not hoped for. The service knows nothing of them.
 */

/** Where calls can be made to wait: closed, each that comes stops here until it is opened. */
export class Gate {
  #opened: (() => void) | undefined;
  #open: Promise<void> = Promise.resolve();
  #arrivals = 0;
  #arrived: (() => void)[] = [];

  close(): void {
    if (this.#opened !== undefined) return;
    this.#open = new Promise((resolve) => (this.#opened = resolve));
  }

  open(): void {
    this.#opened?.();
    this.#opened = undefined;
  }

  /** For the wrapper: waits while the gate is closed. */
  async pass(): Promise<void> {
    if (this.#opened === undefined) return;
    this.#arrivals += 1;
    for (const tell of this.#arrived.splice(0)) tell();
    await this.#open;
  }

  /** For the test: resolves once a call waits here, or has waited. */
  async reached(): Promise<void> {
    if (this.#arrivals === 0) await new Promise<void>((resolve) => this.#arrived.push(resolve));
  }
}

// ── Bus ─────────────────────────────────────────────────────────────────────────────────────────────────

/** Which messages of the bus a fault is about. */
export type OnBus = (message: BusMessage) => boolean;

export function channelIs(channel: Channel): OnBus {
  return (message) => message.channel === channel;
}

/** `lost_on_bus`: Redis takes the publish, nobody hears it, no connection drops. */
export function lostOnBus(isLost: OnBus) {
  return (publisher: BusPublisher): BusPublisher => ({
    publish: (messages) => publisher.publish(messages.filter((message) => !isLost(message))),
  });
}

/** `repeated_on_bus`: everything on the channel is heard twice. */
export function repeatedOnBus(isRepeated: OnBus) {
  return (publisher: BusPublisher): BusPublisher => ({
    publish: (messages) =>
      publisher.publish(
        messages.flatMap((message) => (isRepeated(message) ? [message, message] : [message])),
      ),
  });
}

/** `swapped_on_bus`: of each two messages on the channel the later one is heard first. */
export function swappedOnBus(isSwapped: OnBus) {
  let held: BusMessage | undefined;
  return (publisher: BusPublisher): BusPublisher => ({
    async publish(messages) {
      const heard: BusMessage[] = [];
      for (const message of messages) {
        if (!isSwapped(message)) heard.push(message);
        else if (held === undefined) held = message;
        else {
          heard.push(message, held);
          held = undefined;
        }
      }
      await publisher.publish(heard);
    },
  });
}

/**
 * `after_publish_before_ack`: what was published is heard, but the consumer never learns that it was, and so never
 * acknowledges; opening the gate lets it end, with an error.
 */
export function stuckAfterPublish(gate: Gate, isStuck: OnBus) {
  return (publisher: BusPublisher): BusPublisher => ({
    async publish(messages) {
      await publisher.publish(messages);
      if (!messages.some(isStuck)) return;
      gate.close();
      await gate.pass();
      throw new Fault('unavailable', 'the pod is dead');
    },
  });
}

// ── Readers of the log ──────────────────────────────────────────────────────────────────────────────────

/** `before_head_read`: the channel of the conversation is confirmed, its head not yet asked for. */
export function beforeHeadRead(gate: Gate, conversationId: string) {
  return (reader: ReaderLog): ReaderLog =>
    replaced(reader, {
      async readHeads(conversationIds) {
        if (conversationIds.includes(conversationId)) await gate.pass();
        return reader.readHeads(conversationIds);
      },
    });
}

/** `after_head_read`: the head of the conversation is read, and its reader does not know it yet. */
export function afterHeadRead(gate: Gate, conversationId: string) {
  return (reader: ReaderLog): ReaderLog =>
    replaced(reader, {
      async readHeads(conversationIds) {
        const answer = await reader.readHeads(conversationIds);
        if (conversationIds.includes(conversationId)) await gate.pass();
        return answer;
      },
    });
}

/** `before_members_read`: a feed is about to check who may still read it. */
export function beforeMembersRead(gate: Gate, conversationId: string) {
  return (reader: ReaderLog): ReaderLog =>
    replaced(reader, {
      async readMembers(requests) {
        if (requests.some((request) => request.conversationId === conversationId)) await gate.pass();
        return reader.readMembers(requests);
      },
    });
}

/** `after_members_read`: who may read the conversation is read, and whoever asked does not know it yet. */
export function afterMembersRead(gate: Gate, conversationId: string) {
  return (reader: ReaderLog): ReaderLog =>
    replaced(reader, {
      async readMembers(requests) {
        const answers = await reader.readMembers(requests);
        if (requests.some((request) => request.conversationId === conversationId)) await gate.pass();
        return answers;
      },
    });
}

/** `after_replays_read`: the rows of a replay window are read, and not sent yet. */
export function afterReplaysRead(gate: Gate, conversationId: string) {
  return (reader: ReaderLog): ReaderLog =>
    replaced(reader, {
      async readReplays(requests) {
        const pages = await reader.readReplays(requests);
        if (requests.some((request) => request.conversationId === conversationId)) await gate.pass();
        return pages;
      },
    });
}

/** `epoch_not_seen`: the pod has not read the log since its epoch was raised. */
export function epochNotSeen(epoch: number) {
  return (reader: ReaderLog): ReaderLog =>
    replaced(reader, {
      readEpoch: () => Promise.resolve(epoch),
      readHeads: async (conversationIds) => ({ ...(await reader.readHeads(conversationIds)), epoch }),
    });
}

// ── Dispatcher ───────────────────────────────────────────────────────────────────────────────

/**
 * `after_xadd_before_mark`: the rows are on the stream, their marks not yet made. `hook` may change the verdicts,
 * wait, or throw: then nothing is recorded, as when the dispatcher dies here.
 */
export function afterXadd(
  hook: (rows: readonly OutboxRow[], verdicts: readonly Verdict[]) => Promise<readonly Verdict[] | void>,
) {
  return (log: DispatchLog): DispatchLog =>
    replaced(log, {
      dispatchBuckets: (buckets, options, publish) =>
        log.dispatchBuckets(buckets, options, async (rows, epoch) => {
          const verdicts = await publish(rows, epoch);
          return (await hook(rows, verdicts)) ?? verdicts;
        }),
    });
}

/**
 * `refused_for_its_own_sake`: rows that `isRefused` are not put on the stream and get the verdict, and none of
 * their conversation behind them goes out in that round, as where Redis refuses one.
 */
export function refusedRows(isRefused: (row: OutboxRow) => boolean, verdict: Verdict) {
  return (log: DispatchLog): DispatchLog =>
    replaced(log, {
      dispatchBuckets: (buckets, options, publish) =>
        log.dispatchBuckets(buckets, options, async (rows, epoch) => {
          const refused = rows.filter(isRefused);
          const held = new Set<string | undefined>();
          const open = rows.filter((row) => {
            if (isRefused(row)) held.add(row.message?.conversationId);
            return !held.has(row.message?.conversationId);
          });
          const published = new Map<OutboxRow, Verdict>();
          const verdicts = open.length === 0 ? [] : await publish(open, epoch);
          verdicts.forEach((one, i) => published.set(open[i] as OutboxRow, one));
          return rows.map(
            (row): Verdict => published.get(row) ?? (refused.includes(row) ? verdict : { kind: 'untouched' }),
          );
        }),
    });
}

/** The port with some of its methods replaced; the others stay bound to what they belong to. */
export function replaced<Port extends object>(port: Port, methods: Partial<Port>): Port {
  return new Proxy(port, {
    get(target, name) {
      if (Object.hasOwn(methods, name)) return Reflect.get(methods, name) as unknown;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
