import { encodeMessageFrame, formatTime } from '@sanctum/protocol';
import type { StreamMessage } from '../ports.ts';

/** A message on the bus: what a feed must know to place the frame, and the frame itself, encoded once for all. */
export interface BusFrame {
  readonly epoch: number;
  readonly seq: number;
  readonly membersVersion: number;
  /** 0: not a replay. */
  readonly replay: number;
  readonly occurredAt: number;
  /** The JSON text of the `message` frame, as it goes to the sockets; a part of what was decoded, not a copy. */
  readonly json: Buffer;
}

const VERSION = '1';
const NUMBERS = 5;
/** Five integers of at most 16 digits, their spaces, the version: 96, and room for what a newer version adds. */
const HEADER_MAX_BYTES = 256;
const FRAME_BEGIN = Buffer.from('{"type":"message",');
const NEWLINE = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
const CLOSING_BRACE = 0x7d;

/** `1 <epoch> <seq> <members_version> <replay> <occurred_at in ms>\n`, then the frame's JSON. */
export function encodeBusFrame({ epoch, message }: Pick<StreamMessage, 'epoch' | 'message'>): Buffer {
  const { seq, membersVersion, replayNo, occurredAt } = message;
  const json = encodeMessageFrame({
    conversationId: message.conversationId,
    seq,
    messageId: message.messageId,
    eventType: message.eventType,
    occurredAt: formatTime(occurredAt),
    membersVersion,
    payloadJson: message.payload.reveal(),
    replay: replayNo,
  });
  return Buffer.from(`${VERSION} ${epoch} ${seq} ${membersVersion} ${replayNo} ${occurredAt}\n${json}`);
}

/**
 * `undefined`: not a message of ours, or of another layout. A newer pod may put further numbers behind the five: they
 * are passed over. The JSON is not parsed, only its two ends are looked at: who can publish on the bus is trusted as
 * far as the dispatcher is.
 */
export function decodeBusFrame(bytes: Buffer): BusFrame | undefined {
  const end = bytes.indexOf(NEWLINE);
  if (end < 0 || end > HEADER_MAX_BYTES) return undefined;
  if (bytes[0] !== VERSION.charCodeAt(0) || bytes[1] !== SPACE) return undefined;
  const numbers: number[] = [];
  let at = 2;
  while (at < end) {
    const digits = at;
    let value = 0;
    for (; at < end && bytes[at] !== SPACE; at++) {
      const digit = bytes[at] as number;
      if (digit < ZERO || digit > NINE) return undefined;
      value = value * 10 + (digit - ZERO);
    }
    const length = at - digits;
    if (length === 0 || (length > 1 && bytes[digits] === ZERO) || !Number.isSafeInteger(value))
      return undefined;
    numbers.push(value);
    if (at < end && ++at === end) return undefined;
  }
  if (numbers.length < NUMBERS) return undefined;
  const [epoch, seq, membersVersion, replay, occurredAt] = numbers as [
    number,
    number,
    number,
    number,
    number,
  ];
  const json = bytes.subarray(end + 1);
  const whole =
    json.length > FRAME_BEGIN.length &&
    json.compare(FRAME_BEGIN, 0, FRAME_BEGIN.length, 0, FRAME_BEGIN.length) === 0 &&
    json[json.length - 1] === CLOSING_BRACE;
  if (!whole || seq < 1) return undefined;
  return { epoch, seq, membersVersion, replay, occurredAt, json };
}
