import type { ServerFrame } from '@sanctum/protocol';
import { MemoryBus } from '../../adapters/memory/memory-bus.ts';
import { MemoryLog } from '../../adapters/memory/memory-log.ts';
import { silentLog } from '../../log.ts';
import { createMetrics } from '../../metrics.ts';
import type { ReaderLog } from '../../ports.ts';
import type { Connection } from '../../realtime/connection.ts';
import { Epochs } from '../../realtime/epochs.ts';
import { Hub } from '../../realtime/hub.ts';
import type { Session } from '../../realtime/session.ts';
import { ManualClock } from './manual-clock.ts';

const HOUR_MS = 3_600_000;

/** A hub over a log in memory, on a clock that the test moves. A token is the user's name. */
export function memoryHub({
  maxClients = 10,
  wrap = (reader) => reader,
}: { maxClients?: number; wrap?: (reader: ReaderLog) => ReaderLog } = {}) {
  const clock = new ManualClock();
  const log = new MemoryLog({ clock, payloadLimitBytes: 100_000 });
  const reader = wrap(log.reader);
  const hub = new Hub({
    settings: { heartbeatMs: 30_000, payloadMaxBytes: 65_536, maxClients },
    clock,
    metrics: createMetrics({ dispatcher: false, consumer: false }),
    log: silentLog,
    epochs: new Epochs({ current: 1, reader, log: silentLog }),
    reader,
    bus: new MemoryBus({ clock }).subscriber(),
    verifier: {
      verify: (token) => ({
        ok: true,
        userId: token!,
        scopes: new Set(),
        expiresAt: clock.now() + HOUR_MS,
        issuedAt: clock.now(),
      }),
    },
  });
  hub.start();
  return { clock, log, hub };
}

/** A socket that keeps what it is sent; how much of it is unsent, the test says. */
export class KeepingConnection implements Connection {
  readonly id: string;
  readonly frames: ServerFrame[] = [];
  unsentBytes = 0;
  /** The code it was closed with. */
  closed: number | undefined;

  constructor(id: string) {
    this.id = id;
  }

  send({ json }: { readonly json: Buffer }): void {
    this.sendJson(json.toString());
  }

  sendJson(json: string): void {
    this.frames.push(JSON.parse(json) as ServerFrame);
  }

  close(code: number): void {
    this.closed = code;
  }

  cork(): void {}
  uncork(): void {}
  ping(): void {}
  terminate(): void {}
}

/** The client says this. */
export function say(session: Session, frame: object): void {
  session.receive(JSON.stringify(frame));
}
