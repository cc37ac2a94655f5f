import { beforeEach, describe, expect, it } from 'vitest';
import type { StreamEntry, StreamMessage, StreamReader, StreamWriter } from '../../ports.ts';
import { Sealed } from '../../sealed.ts';
import { eventually } from '../support/eventually.ts';
import type { RecordedLog } from '../support/recorded-log.ts';
import { conversationMessages, streamMessage } from '../support/stream-messages.ts';

export interface ReaderWishes {
  readonly consumer?: string;
  readonly partitions?: number;
  readonly batchSize?: number;
  readonly blockMs?: number;
  readonly claimIdleMs?: number;
}

/** An empty server with streams, and the faults that the contract speaks of. */
export interface StreamHarness {
  readonly log: RecordedLog;
  writer(): Promise<StreamWriter>;
  reader(wishes?: ReaderWishes): Promise<StreamReader>;
  /** Puts something on the stream that is no entry of ours; its id. */
  addMalformed(): Promise<string>;
  /** An entry at which the writer's connection breaks. */
  poison(): StreamMessage;
  /** Cuts a partition to its newest `length` entries. */
  trim(partition: number, length: number): Promise<void>;
  flushAll(): Promise<void>;
  /** Every connection breaks; the server lives. */
  loseConnections(): Promise<void>;
  goDown(): Promise<void>;
  comeUp(): Promise<void>;
}

/** Far above what a test waits for: a read that is to be ended from outside. */
const LONG_MS = 20_000;
/** Entries count as trimmed unread only with `maxLength` so small that the group is far behind. */
export const CONTRACT_MAX_LENGTH = 200;

const never = new AbortController().signal;

/** What every implementation of StreamWriter and StreamReader does. */
export function streamContract(name: string, makeHarness: () => Promise<StreamHarness>): void {
  describe(`stream contract: ${name}`, () => {
    let harness: StreamHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });

    async function append(...entries: StreamMessage[]): Promise<void> {
      const writer = await harness.writer();
      expect(await writer.append(0, entries)).toEqual({ appended: entries.length });
    }

    it('hands out entries in order and whole', async () => {
      const odd = new Sealed('{"ciphertext":"…✓😀\\u0000","n":12345678901234567890}');
      const entries = [
        streamMessage({
          seq: 7,
          epoch: 3,
          replayNo: 2,
          membersVersion: 9,
          payload: odd,
          eventType: 'Ünïcode type',
        }),
        streamMessage({ resent: true }),
        ...conversationMessages(3),
      ];
      await append(...entries);
      const read = await (await harness.reader()).readNew(never);
      expect(read.map(revealed)).toEqual(entries.map((content) => revealed({ content })));
      for (const entry of read) {
        expect(entry).toMatchObject({
          deliveries: 1,
          reason: undefined,
          eventId: entry.content?.message.eventId,
        });
      }
    });

    it('makes the group at the beginning of the stream, and says so', async () => {
      await append(...conversationMessages(2));
      const reader = await harness.reader();
      expect(await reader.readNew(never)).toHaveLength(2);
      expect(harness.log.named('consumer_group_created')).toHaveLength(1);
    });

    it('gives each entry to one consumer of the group', async () => {
      const [one, two] = [
        await harness.reader({ consumer: 'one', batchSize: 2 }),
        await harness.reader({ consumer: 'two' }),
      ];
      await append(...conversationMessages(5));
      const ids = [...(await one.readNew(never)), ...(await two.readNew(never))].map(
        (entry) => entry.entryId,
      );
      expect(new Set(ids).size).toBe(5);
    });

    it('returns nothing when nothing comes within the block time', async () => {
      expect(await (await harness.reader({ blockMs: 30 })).readNew(never)).toEqual([]);
    });

    it('ends a blocked read when told to, and loses nothing', async () => {
      const reader = await harness.reader({ blockMs: LONG_MS });
      const told = new AbortController();
      const read = reader.readNew(told.signal);
      told.abort();
      expect(await read).toEqual([]);
      await append(...conversationMessages(1));
      expect(await reader.readNew(never)).toHaveLength(1);
      expect(await reader.readNew(AbortSignal.abort())).toEqual([]);
    });

    it('wakes a blocked read when an entry comes', async () => {
      const reader = await harness.reader({ blockMs: LONG_MS });
      const read = reader.readNew(never);
      await append(...conversationMessages(1));
      expect(await read).toHaveLength(1);
    });

    it('acknowledges each entry once', async () => {
      await append(...conversationMessages(3));
      const reader = await harness.reader();
      const entries = await reader.readNew(never);
      expect((await reader.figures()).pending).toBe(3);
      expect(await reader.acknowledge(entries.slice(0, 2))).toBe(2);
      expect(await reader.acknowledge(entries)).toBe(1);
      expect(await reader.acknowledge([])).toBe(0);
      expect((await reader.figures()).pending).toBe(0);
    });

    it("gives a consumer's own pending entries again, page by page", async () => {
      await append(...conversationMessages(5));
      const first = await harness.reader({ consumer: 'one' });
      const read = await first.readNew(never);
      await first.acknowledge(read.slice(1, 2));
      const reader = await harness.reader({ consumer: 'one', batchSize: 3 });
      const page = await reader.readOwnPending(undefined);
      expect(page.map(idOf)).toEqual([0, 2, 3].map((i) => idOf(read[i])));
      expect(page.map((entry) => entry.deliveries)).toEqual([2, 2, 2]);
      const after = new Map(page.map(({ stream, entryId }) => [stream, entryId]));
      const rest = await reader.readOwnPending(after);
      expect(rest.map(idOf)).toEqual([idOf(read[4])]);
      expect(
        await reader.readOwnPending(new Map(rest.map(({ stream, entryId }) => [stream, entryId]))),
      ).toEqual([]);
      expect(await (await harness.reader({ consumer: 'two' })).readOwnPending(undefined)).toEqual([]);
    });

    it('takes over what another consumer has had for too long, and nothing sooner', async () => {
      await append(...conversationMessages(3));
      const dead = await harness.reader({ consumer: 'dead' });
      const read = await dead.readNew(never);
      expect(await (await harness.reader({ consumer: 'patient', claimIdleMs: LONG_MS })).claimIdle()).toEqual(
        [],
      );
      const reader = await harness.reader({ consumer: 'alive', claimIdleMs: 20, batchSize: 2 });
      // A slow machine lets the first ones fall idle again: each counts once.
      const claimed = new Map<string, StreamEntry>();
      await eventually(async () => {
        for (const entry of await reader.claimIdle()) claimed.set(entry.entryId, entry);
        expect(claimed.size).toBe(3);
      });
      expect(new Set(claimed.keys())).toEqual(new Set(read.map(idOf)));
      for (const entry of claimed.values()) expect(entry.deliveries).toBeGreaterThanOrEqual(2);
      expect(await dead.readOwnPending(undefined)).toEqual([]);
      expect(await reader.acknowledge([...claimed.values()])).toBe(3);
    });

    it('hands out what it cannot use with its id and a reason', async () => {
      const entryId = await harness.addMalformed();
      const reader = await harness.reader();
      const [entry] = await reader.readNew(never);
      expect(entry).toMatchObject({
        entryId,
        content: undefined,
        reason: expect.stringMatching(/^[a-z_]+$/) as string,
      });
      expect(await reader.acknowledge([entry as StreamEntry])).toBe(1);
    });

    it('takes entries that left the stream off the pending list', async () => {
      await append(...conversationMessages(4));
      const reader = await harness.reader({ consumer: 'one', batchSize: 2 });
      await reader.readNew(never);
      await reader.readNew(never);
      await harness.trim(0, 1);
      expect(await reader.readOwnPending(undefined)).toHaveLength(1);
      expect((await reader.figures()).pending).toBe(1);
      await harness.trim(0, 0);
      const other = await harness.reader({ consumer: 'two', claimIdleMs: 0 });
      expect(await other.claimIdle()).toEqual([]);
      expect((await reader.figures()).pending).toBe(0);
    });

    it('reads every partition that exists, of its own setting or not', async () => {
      const writer = await harness.writer();
      for (const partition of [0, 1, 2]) await writer.append(partition, conversationMessages(2));
      const reader = await harness.reader({ partitions: 2 });
      const read: StreamEntry[] = [];
      await eventually(async () => {
        read.push(...(await reader.readNew(never)));
        expect(read).toHaveLength(6);
      });
      expect(new Set(read.map((entry) => entry.stream)).size).toBe(3);
      expect((await reader.figures()).pending).toBe(6);
      expect(await reader.acknowledge(read)).toBe(6);
    });

    it('says how old the first unread entry is, also while nobody reads', async () => {
      const reader = await harness.reader({ batchSize: 1 });
      await append(...conversationMessages(1));
      const [read] = await reader.readNew(never);
      expect(await reader.figures()).toMatchObject({ oldestUnreadSeconds: 0, length: 1 });
      await append(...conversationMessages(2));
      const first = await eventually(async () => {
        const { oldestUnreadSeconds } = await reader.figures();
        expect(oldestUnreadSeconds).toBeGreaterThan(0.02);
        return oldestUnreadSeconds;
      });
      await eventually(async () =>
        expect((await reader.figures()).oldestUnreadSeconds).toBeGreaterThan(first),
      );
      await reader.acknowledge([read as StreamEntry]);
      await reader.readNew(never);
      await reader.readNew(never);
      expect((await reader.figures()).oldestUnreadSeconds).toBe(0);
    });

    it('counts entries that were trimmed unread once', async () => {
      const reader = await harness.reader();
      await append(...conversationMessages(50));
      await reader.acknowledge(await reader.readNew(never));
      await append(...conversationMessages(100));
      await harness.trim(0, 30);
      // Looked at while nobody reads it is still to come.
      expect(await reader.figures()).toMatchObject({ trimmedUnread: 0, length: 30, unread: 30 });
      expect(await reader.readNew(never)).toHaveLength(30);
      expect(await reader.figures()).toMatchObject({ trimmedUnread: 70, length: 30, unread: 0 });
      expect((await reader.figures()).trimmedUnread).toBe(0);
      await append(...conversationMessages(10));
      expect(await reader.readNew(never)).toHaveLength(10);
      expect((await reader.figures()).trimmedUnread).toBe(0);
    });

    it('goes on after the server forgot everything', async () => {
      const reader = await harness.reader({ blockMs: 50 });
      await append(...conversationMessages(2));
      await reader.readNew(never);
      await harness.flushAll();
      await append(...conversationMessages(3));
      const read = await eventually(async () => {
        const entries = await reader.readNew(never);
        expect(entries).toHaveLength(3);
        return entries;
      });
      expect(await reader.acknowledge(read)).toBe(3);
    });

    it.each([['readOwnPending'], ['claimIdle']] as const)(
      'makes the group again where %s finds it gone with what was pending',
      async (read) => {
        const reader = await harness.reader({ blockMs: 50 });
        await append(...conversationMessages(2));
        await reader.readNew(never);
        await harness.flushAll();
        await append(...conversationMessages(3));
        expect(await (read === 'claimIdle' ? reader.claimIdle() : reader.readOwnPending(undefined))).toEqual(
          [],
        );
        expect(await reader.readNew(never)).toHaveLength(3);
      },
    );

    it('lives through lost connections, and tells of them', async () => {
      const [writer, reader] = [await harness.writer(), await harness.reader({ blockMs: LONG_MS })];
      let forgotten = 0;
      let readerReconnected = 0;
      writer.onConnected(({ reconnected }) => (forgotten += Number(reconnected)));
      reader.onReconnect(() => readerReconnected++);
      await writer.append(0, conversationMessages(2));
      expect(await reader.readNew(never)).toHaveLength(2);
      const blocked = reader.readNew(never);
      const failed = expect(blocked).rejects.toMatchObject({
        name: 'Fault',
        code: 'unavailable',
        retryable: true,
      });
      await harness.loseConnections();
      await failed;
      await eventually(() => expect([forgotten > 0, readerReconnected > 0]).toEqual([true, true]));
      expect(await eventually(() => reader.readOwnPending(undefined))).toHaveLength(2);
      await eventually(async () =>
        expect(await writer.append(0, conversationMessages(1))).toEqual({ appended: 1 }),
      );
      expect(await eventually(() => reader.readNew(never))).toHaveLength(1);
    });

    it('tells an outage, and its end', async () => {
      const [writer, reader] = [await harness.writer(), await harness.reader()];
      expect([writer.available, await writer.ping()]).toEqual([true, true]);
      await harness.goDown();
      await eventually(() => expect(writer.available).toBe(false));
      expect(await writer.ping()).toBe(false);
      expect(await writer.append(0, conversationMessages(1))).toMatchObject({
        appended: 0,
        failure: { kind: 'outage' },
      });
      await expect(reader.readNew(never)).rejects.toMatchObject({ name: 'Fault', retryable: true });
      await expect(reader.figures()).rejects.toMatchObject({ name: 'Fault', retryable: true });
      await harness.comeUp();
      await eventually(async () => expect(await writer.ping()).toBe(true));
      expect(writer.available).toBe(true);
      await writer.append(0, conversationMessages(1));
      expect(await eventually(() => reader.readNew(never))).toHaveLength(1);
    });

    it('says at which entry the connection broke, and answers on another', async () => {
      const writer = await harness.writer();
      const [first, second, last] = conversationMessages(3) as [StreamMessage, StreamMessage, StreamMessage];
      const result = await writer.append(0, [first, second, harness.poison(), last]);
      expect(result).toMatchObject({ appended: 2, failure: { kind: 'connection' } });
      expect(await writer.ping()).toBe(true);
      expect(await writer.append(0, [last])).toEqual({ appended: 1 });
      const read = await (await harness.reader()).readNew(never);
      expect(read.map((entry) => entry.content?.message.seq)).toEqual([1, 2, 3]);
    });
  });
}

function idOf(entry: StreamEntry | undefined): string | undefined {
  return entry?.entryId;
}

/** A payload is sealed: two of them are compared by what they hold. */
function revealed({ content }: Pick<StreamEntry, 'content'>): unknown {
  return { ...content, message: { ...content?.message, payload: content?.message.payload.reveal() } };
}
