import type { ErrorCode, RequestId, ServerFrame } from '@sanctum/protocol';
import type { Clock } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { Connection } from './connection.ts';
import { Credit } from './credit.ts';
import { hasRoom } from './pump.ts';
import type { MessageItem } from './shared-frame.ts';

/** A frame that must precede all messages; `costsCredit` ones wait for it. */
export interface ControlFrame {
  readonly frame: ServerFrame;
  readonly costsCredit: boolean;
}

/**
 * What a session sends, and what it may. Frames that cost credit are counted here and nowhere else. Before any
 * message go `control` (reset and subscribed, in order), then `notices` (member frames, of each conversation the
 * latest alone), as far as credit and socket have room.
 */
export class Outbound {
  control: ControlFrame[] = [];
  readonly notices = new Map<string, ServerFrame>();
  credit = new Credit(1);
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #metrics: Metrics;

  constructor(options: { connection: Connection; clock: Clock; metrics: Metrics }) {
    this.#connection = options.connection;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
  }

  get hasRoom(): boolean {
    return this.credit.left > 0 && hasRoom(this.#connection.unsentBytes);
  }

  /** Whether something waits that must go before messages. */
  get isHeldUp(): boolean {
    return this.control.length > 0 || this.notices.size > 0;
  }

  frame(frame: ServerFrame): void {
    this.#connection.sendJson(JSON.stringify(frame));
  }

  error(code: ErrorCode, id?: RequestId): void {
    this.#metrics.transportErrors.inc({ code });
    this.frame({ type: 'error', ...(id === undefined ? {} : { id }), code });
  }

  credited(frame: ServerFrame): void {
    this.frame(frame);
    this.credit.spend(this.#clock.monotonic());
  }

  /** `isTimed`: its reader was there when it was committed, so that its acknowledgement says how long it took. */
  message(item: MessageItem, isTimed: boolean): void {
    this.#connection.send(item.frame);
    this.#metrics.transportMessagesSent.inc();
    this.credit.spend(this.#clock.monotonic(), isTimed ? item.occurredAt : undefined);
  }

  /** Sends of control and notices what may be sent. */
  flush(): void {
    let done = 0;
    for (const { frame, costsCredit } of this.control) {
      if (!hasRoom(this.#connection.unsentBytes) || (costsCredit && this.credit.left <= 0)) break;
      if (costsCredit) this.credited(frame);
      else this.frame(frame);
      done += 1;
    }
    if (done > 0) this.control = this.control.slice(done);
    if (this.control.length > 0) return;
    for (const [conversationId, frame] of this.notices) {
      if (!this.hasRoom) return;
      this.notices.delete(conversationId);
      this.credited(frame);
    }
  }
}
