import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeStreamEntry, pushStreamEntry } from '../../adapters/redis/stream-entry.ts';
import type { StreamMessage } from '../../ports.ts';
import { decodeBusFrame, encodeBusFrame } from '../../realtime/bus-frame.ts';
import { Sealed } from '../../sealed.ts';
import { decodeWake, encodeWake } from '../../wake-message.ts';
import { readBusFrame, readEntry, readWake } from './readers-of-0.1.0.ts';

/*
 * A canary is two versions at once: what either writes to the stream and to the bus, the other must take. The older
 * one is here as the bytes that it wrote and as a reader of what it takes; the newer one is made up, by adding what
 * a newer one may add. See docs/versions.md.
 */

type Plain = Omit<StreamMessage, 'message'> & {
  readonly message: Omit<StreamMessage['message'], 'payload'> & { readonly payload: string };
};

const golden = JSON.parse(readFileSync(new URL('bytes-of-0.1.0.json', import.meta.url), 'utf8')) as {
  readonly messages: readonly {
    readonly message: Plain;
    readonly entry: string[];
    readonly busFrame: string;
  }[];
  readonly wakes: readonly (readonly [number[], string])[];
};
const PLACE = { stream: 'sanctum:messages', entryId: '1-1', deliveries: 1 };
const PAYLOAD_MAX_BYTES = 65_536;

const sealed = ({ message, ...rest }: Plain): StreamMessage => ({
  ...rest,
  message: { ...message, payload: new Sealed(message.payload) },
});

/** What this version makes of an entry, with the payload in the open. */
function readAsPlain(entry: readonly string[]): Plain | undefined {
  const { content } = decodeStreamEntry(PLACE, entry, PAYLOAD_MAX_BYTES);
  if (content === undefined) return undefined;
  return { ...content, message: { ...content.message, payload: content.message.payload.reveal() } };
}

const numbersOf = ({ epoch, message }: Plain): number[] => [
  epoch,
  message.seq,
  message.membersVersion,
  message.replayNo,
  message.occurredAt,
];

const seq = fc.maxSafeNat();
const anyMessage: fc.Arbitrary<Plain> = fc.record({
  epoch: seq,
  resent: fc.boolean(),
  message: fc.record({
    conversationId: fc.uuid(),
    messageId: fc.uuid(),
    eventId: fc.uuid(),
    seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    eventType: fc.stringMatching(/^[A-Za-z][\w.-]{0,40}$/),
    occurredAt: fc.integer({ min: Date.UTC(2020), max: Date.UTC(2100) }),
    membersVersion: seq,
    replayNo: seq,
    payload: fc.json(),
  }),
});

describe('what version 0.1.0 wrote', () => {
  it.each(golden.messages)(
    'is read by this one: seq $message.message.seq',
    ({ message, entry, busFrame }) => {
      expect(readAsPlain(entry)).toEqual(message);
      const frame = decodeBusFrame(Buffer.from(busFrame));
      expect(frame && [frame.epoch, frame.seq, frame.membersVersion, frame.replay, frame.occurredAt]).toEqual(
        numbersOf(message),
      );
      expect(JSON.parse(frame!.json.toString())).toMatchObject({ type: 'message', seq: message.message.seq });
    },
  );

  it.each(golden.wakes)('is understood as a wake-up: %j', (buckets, bytes) => {
    expect(decodeWake(Buffer.from(bytes))).toEqual(buckets);
  });
});

describe('what this version writes', () => {
  it('is taken from the stream and from the bus by version 0.1.0', () => {
    fc.assert(
      fc.property(anyMessage, (plain) => {
        const entry: string[] = [];
        pushStreamEntry(entry, sealed(plain));
        expect(readEntry(entry)).toMatchObject({
          seq: String(plain.message.seq),
          payload: plain.message.payload,
        });
        const frame = readBusFrame(encodeBusFrame(sealed(plain)));
        expect(frame?.numbers).toEqual(numbersOf(plain));
        expect(JSON.parse(frame!.json)).toMatchObject({ message_id: plain.message.messageId });
      }),
    );
  });

  it('wakes version 0.1.0 for every bucket that it names', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 63 })), (buckets) => {
        expect(readWake(encodeWake(buckets))).toEqual(buckets);
      }),
    );
  });

  it('version 0.1.0 would refuse bytes of another layout, so the comparison can fail', () => {
    const [{ entry, busFrame }] = golden.messages as [(typeof golden.messages)[number]];
    expect(readEntry(entry)).toBeDefined();
    for (let i = 1; i < entry.length; i += 2) expect(readEntry(entry.toSpliced(i, 1, ''))).toBeUndefined();
    expect(readBusFrame(Buffer.from(busFrame))).toBeDefined();
    expect(readBusFrame(Buffer.from(busFrame.replace(/^1 /, '2 ')))).toBeUndefined();
    expect(readBusFrame(Buffer.from(busFrame.replace(/ \d+\n/, '\n')))).toBeUndefined();
  });
});

describe('what a newer version may add, this one passes over', () => {
  const newField = fc.tuple(fc.stringMatching(/^x_[a-z]{1,20}$/), fc.string());

  it('fields of an entry, wherever they stand', () => {
    fc.assert(
      fc.property(
        anyMessage,
        fc.array(newField, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        (plain, added, first) => {
          const entry: string[] = [];
          pushStreamEntry(entry, sealed(plain));
          const newer = first ? [...added.flat(), ...entry] : [...entry, ...added.flat()];
          expect(readAsPlain(newer)).toEqual(plain);
          expect(readEntry(newer)).toEqual(readEntry(entry));
        },
      ),
    );
  });

  it('numbers behind the five of a frame on the bus, and fields of the frame itself', () => {
    fc.assert(
      fc.property(anyMessage, fc.array(seq, { minLength: 1, maxLength: 4 }), (plain, added) => {
        const bytes = encodeBusFrame(sealed(plain)).toString();
        const newer = bytes.replace('\n', ` ${added.join(' ')}\n`).replace(/\}$/, ',"x_new":1}');
        const frame = decodeBusFrame(Buffer.from(newer));
        expect(
          frame && [frame.epoch, frame.seq, frame.membersVersion, frame.replay, frame.occurredAt],
        ).toEqual(numbersOf(plain));
        expect(JSON.parse(frame!.json.toString())).toMatchObject({ seq: plain.message.seq, x_new: 1 });
        expect(readBusFrame(Buffer.from(newer))?.numbers).toEqual(numbersOf(plain));
      }),
    );
  });

  it('words of a wake-up that are no buckets', () => {
    expect(decodeWake(Buffer.from('3,17,x:9,60'))).toEqual([3, 17, 60]);
    expect(readWake(Buffer.from('3,17,x:9,60'))).toEqual([3, 17, 60]);
  });
});
