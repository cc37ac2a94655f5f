/**
 * What everybody in a run did and saw, in the order in which it happened: the input of `checkHistory`.
 *
 * - On disk: NDJSON, one event a line, each a JSON array `[type, at, ...fields]` with the fields in the order of
 *   `FIELDS`, null for one that is left out, and nulls at the end cut off. A delivery takes some 140 bytes. A last
 *   line that was torn by a kill is passed over.
 * - `at` is monotonic time in milliseconds. Processes of one machine share that clock and write a file each; the
 *   checker merges the files. Every file opens with `begin`, which holds the wall time too; `wall` follows
 *   whenever the wall clock has moved against the monotonic one.
 * - An event is appended when it happens: `post` before the request leaves, `post_ok` when the answer is here, a
 *   frame when it has been read. Whatever the checker concludes about time, it concludes from that.
 * - Calls are `invoke` (of a POST: `post`), then at most one of `ok`, `fail` (certainly not done: a 4xx),
 *   `unknown` (no answer, or any 5xx: done or not, once at most). No answer at all means unknown.
 * - Ids of posts, changes, operations and connections are unique in the run, across its processes.
 * - Ciphertext never stands here: a payload is its hash (payload-hash.ts), the same of the POST's, the frame's
 *   and the row's.
 * - `end`: the run has waited until everybody had everything, or for its bound; whoever is still connected then
 *   has acknowledged what came, else the server could not send the rest. Without `end` the run was cut short, and
 *   what can only be judged at the end is not judged.
 * - What lies before a restore is judged up to what the restore left (`operation` `epoch`). Of memberships, what was
 *   asked before it says nothing any more.
 *
 * Who appends: connection-recorder.ts for a WebSocket client, call-recorder.ts for HTTP; a simulation hands its own
 * clock to `StampedHistory` and keeps the events in an array.
 */
import type { ClientEvent } from './client-events.ts';
import type { OperatorEvent } from './operator-events.ts';
import type { PublisherEvent } from './publisher-events.ts';

export interface Stamped {
  readonly at: number;
}

/**
 * `seesCommits`: the run appends a `commit` for each message of the log, as a simulation can. `seesExpiry`: nothing
 * expires but by a `prune` that names its places, and dead letters outlive it.
 */
interface BeginEvent extends Stamped {
  readonly type: 'begin';
  readonly process: string;
  readonly wallMs: number;
  readonly seesCommits?: boolean | undefined;
  readonly seesExpiry?: boolean | undefined;
}
interface WallEvent extends Stamped {
  readonly type: 'wall';
  readonly wallMs: number;
}
/** A fault that the run brings about, from just before it to when its cause is gone. */
interface FaultEvent extends Stamped {
  readonly type: 'fault';
  readonly phase: 'begin' | 'end';
  readonly name: string;
  readonly pod?: string | undefined;
}
interface EndEvent extends Stamped {
  readonly type: 'end';
}

export type RunEvent = BeginEvent | WallEvent | FaultEvent | EndEvent;
export type HistoryEvent = RunEvent | PublisherEvent | ClientEvent | OperatorEvent;

export type HistoryEventOf<T extends HistoryEvent['type']> = Extract<HistoryEvent, { readonly type: T }>;

type Unstamped<E> = E extends Stamped ? Omit<E, 'at'> : never;
/** An event before the writer has put its time to it. */
export type UnstampedEvent = Unstamped<HistoryEvent>;

/** Where events go: a file, an array, a checker that is fed as the run goes. */
export interface History {
  append(event: UnstampedEvent): void;
}
