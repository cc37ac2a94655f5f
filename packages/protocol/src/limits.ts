/**
 * Every bound of the wire, by name. Sizes are UTF-8 bytes unless the name says otherwise, durations are
 * milliseconds. Client and server import the same constants, so neither can drift from the other. Plain
 * numbers, since a bundler keeps products that nobody uses.
 */

/** The WebSocket subprotocol that both sides must name. */
export const SUBPROTOCOL = 'sanctum.v1';

/** Largest integer that a `seq`, a version or an epoch may take: 2^53 − 1. */
export const SEQ_MAX = 9_007_199_254_740_991;

/** Largest frame that a client may send. */
export const CLIENT_FRAME_MAX_BYTES = 65_536;
/** Largest frame that every client must be able to take. */
export const CLIENT_ACCEPTS_FRAME_BYTES = 1_048_576;
/** Default of `PAYLOAD_MAX_BYTES`: largest ciphertext, decoded. */
export const PAYLOAD_MAX_BYTES_DEFAULT = 65_536;

/** Credit: how many counted frames may be under way unacknowledged. */
export const CREDIT_DEFAULT = 256;
export const CREDIT_MIN = 1;
export const CREDIT_MAX = 1024;
/** An acknowledgement is due this long after the first unacknowledged frame … */
export const ACK_DUE_MS = 250;
/** … or once this share of the credit is used, whichever comes first. */
export const ACK_DUE_CREDIT_SHARE = 0.5;
/** Credit used up and no `ack` for this long: the server closes with 4412. */
export const ACK_TIMEOUT_MS = 60_000;
/** No progress of a socket's writes for this long: the server closes with 4412. */
export const WRITE_STALL_TIMEOUT_MS = 15_000;
/** Unsent bytes of a socket above which nothing more is written to it. */
export const SOCKET_BUFFER_MAX_BYTES = 262_144;
/** Frames that one conversation may send before the next one has its turn. */
export const CONVERSATION_TURN_FRAMES = 32;

/** `hello` must arrive within this time of the upgrade (else 4408). */
export const HELLO_TIMEOUT_MS = 5000;
/** The last `cursors` frame must arrive within this time of `hello` (else 4408). */
export const CURSORS_TIMEOUT_MS = 10_000;
/** Cursors in one `hello`. */
export const HELLO_CURSORS_MAX = 500;
/** Cursors in one `cursors` frame. */
export const CURSORS_FRAME_MAX = 1000;
/** Feature names in one `hello`, and the length of one in UTF-16 units. */
export const FEATURES_MAX = 32;
export const FEATURE_NAME_MAX_LENGTH = 64;
/** Conversations in one `subscribe`, `unsubscribe`, `subscribed` or `unsubscribed`. */
export const SUBSCRIBE_MAX = 256;
/** Length of the `id` of a request frame, where it is a string, in UTF-16 units. */
export const REQUEST_ID_MAX_LENGTH = 64;

/** Interval between heartbeats, unless configured otherwise. */
export const HEARTBEAT_MS_DEFAULT = 30_000;
/** A client that hears nothing for this many heartbeats reconnects. */
export const HEARTBEAT_PATIENCE = 1.5;
/** Least pause before a retry after close code 4430. */
export const TOO_MANY_CONNECTIONS_RETRY_MS = 30_000;

/** A user id, and every other opaque id of a peer (`device_id`, `sid`). */
export const USER_ID_MAX_BYTES = 255;
/** Event type of a message; escaped in JSON it still leaves the frame around a payload below its bound. */
export const EVENT_TYPE_MAX_BYTES = 100;

/** Members named when a conversation is created, besides its owner. */
export const CREATE_MEMBERS_MAX = 256;
export const CONVERSATIONS_PER_USER_MAX = 10_000;
export const MEMBERS_PER_CONVERSATION_MAX = 10_000;
/** Page sizes of every listing. */
export const PAGE_LIMIT_MAX = 500;
export const PAGE_LIMIT_DEFAULT = 100;
/** Length of an opaque page cursor, in characters. */
export const PAGE_CURSOR_MAX_LENGTH = 512;
/** A page of messages ends at this size, though never before its first message. */
export const HISTORY_PAGE_MAX_BYTES = 1_048_576;

/** What a server frame may need besides the base64 of a full payload. */
const SERVER_FRAME_ALLOWANCE_BYTES = 2048;
/** The most that `encodeMessageFrame` puts around a payload. */
export const MESSAGE_FRAME_OVERHEAD_MAX_BYTES = 512;

/** Length of the padded base64 of `bytes` bytes. */
export function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}

/** Largest server frame, in bytes, for a given `PAYLOAD_MAX_BYTES`. */
export function serverFrameMaxBytes(payloadMaxBytes: number): number {
  return base64Length(payloadMaxBytes) + SERVER_FRAME_ALLOWANCE_BYTES;
}

/**
 * Largest JSON text of a `payload`, in bytes, that a message frame can carry for a given
 * `PAYLOAD_MAX_BYTES`. A row above it is announced as a gap and never sent.
 */
export function tooLargeAbove(payloadMaxBytes: number): number {
  return serverFrameMaxBytes(payloadMaxBytes) - MESSAGE_FRAME_OVERHEAD_MAX_BYTES;
}
