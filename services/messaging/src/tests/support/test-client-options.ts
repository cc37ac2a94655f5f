import type { CursorSnapshot } from '@sanctum/client';
import type { History } from '../history/history.ts';
import type { RecordedConnection } from '../history/connection-recorder.ts';

/** How a test client connects and behaves; all but the address may be left out. */
export interface TestClientOptions {
  /** As `ws://127.0.0.1:8083/ws`. */
  readonly url: string;
  readonly token?: string;
  /** Where the token goes: the upgrade (default), or `hello`. */
  readonly tokenIn?: 'header' | 'hello';
  /** Where to go on: what `cursors()` of an earlier client gave. */
  readonly cursors?: CursorSnapshot;
  readonly subscribe?: 'all' | 'none';
  readonly withoutCursor?: 'head' | 'start';
  readonly credit?: number;
  readonly deviceId?: string;
  readonly features?: string[];
  /** False: say no `hello`, the test does. */
  readonly hello?: boolean;
  /** False: acknowledge only by `ack()`. */
  readonly autoAck?: boolean;
  /** False: a fault of the server does not fail `until`; it is only noted in `received.faults`. */
  readonly failOnFault?: boolean;
  /** False: do not hold each frame against its schema, in runs that measure. */
  readonly validate?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
  /** Where to append what this connection sends and gets. */
  readonly record?: { readonly history: History; readonly as: RecordedConnection };
}
