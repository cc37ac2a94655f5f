import type { FastifyReply, FastifyRequest } from 'fastify';
import { bounds } from '../../../bounds.ts';
import type { Clock } from '../../../clock.ts';
import { identityOf } from '../guard.ts';
import { sendProblem } from '../problems.ts';
import type { Identity } from '../token-verifier.ts';

/**
 * Server-sent events: one `name` event each second, until the client goes, its token ends or is revoked, or `end` is
 * aborted. A client that does not read is let go, rather than written to for ever.
 */
export class EventStreams {
  readonly #clock: Clock;
  readonly #isRevoked: (identity: Identity) => boolean;
  readonly #end: AbortSignal;
  #open = 0;

  constructor(options: { clock: Clock; isRevoked: (identity: Identity) => boolean; end: AbortSignal }) {
    this.#clock = options.clock;
    this.#isRevoked = options.isRevoked;
    this.#end = options.end;
  }

  async serve(
    request: FastifyRequest,
    reply: FastifyReply,
    event: { readonly name: string; readonly data: () => Promise<object> },
  ): Promise<unknown> {
    if (this.#open >= bounds.admin.eventStreamsMax) {
      return sendProblem(reply, 'overloaded', bounds.http.retryAfterMs);
    }
    const identity = identityOf(request);
    const socket = reply.raw;
    const gone = new AbortController();
    socket.on('close', () => gone.abort());
    const ends = AbortSignal.any([gone.signal, this.#end]);
    this.#open += 1;
    reply.hijack();
    socket.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
    });
    try {
      while (!ends.aborted && this.#clock.now() < identity.expiresAt && !this.#isRevoked(identity)) {
        const data = JSON.stringify(await event.data());
        if (socket.writableLength > bounds.admin.eventStreamUnsentBytesMax) break;
        socket.write(`event: ${event.name}\ndata: ${data}\n\n`);
        await this.#clock.sleep(bounds.admin.eventEveryMs, ends);
      }
    } finally {
      this.#open -= 1;
      socket.end();
    }
    return undefined;
  }
}
