import type { MemoryStreamReader } from '../../adapters/memory/memory-stream-reader.ts';
import type { BusMessage, BusPublisher, StreamEntry, StreamMessage, StreamReader } from '../../ports.ts';
import { decodeBusFrame } from '../../realtime/bus-frame.ts';
import { payloadHash } from '../history/payload-hash.ts';
import type { SimWorld } from './sim-world.ts';

/**
 * Sees what passes between the stages, where a client could not: the slow path heals for it what the fast path
 * loses. Every entry of the stream goes into the history; an entry may be acknowledged only once it was broadcast.
 */
export class SimWatch {
  readonly #world: SimWorld;
  readonly #broadcast = new Set<string>();
  readonly #hashes = new Map<string, string>();

  constructor(world: SimWorld) {
    this.#world = world;
    world.history.append({ type: 'observe' });
  }

  /** Redis is about to take it. */
  entry({ epoch, resent, message }: StreamMessage): void {
    const { conversationId, seq, messageId, replayNo: replay } = message;
    const json = message.payload.reveal();
    const hash = this.#hashes.get(json) ?? payloadHash(JSON.parse(json));
    this.#hashes.set(json, hash);
    const place = { conversationId, seq, messageId, hash, epoch, replay };
    this.#world.history.append({ type: 'entry', ...place, resent: resent ? 1 : 0 });
  }

  publisher(publisher: BusPublisher): BusPublisher {
    return {
      publish: async (messages: readonly BusMessage[]) => {
        await publisher.publish(messages);
        for (const { channel, bytes } of messages) {
          const frame = decodeBusFrame(bytes);
          if (frame === undefined) continue;
          this.#broadcast.add(placeOf(channel.slice(2), frame));
        }
      },
    };
  }

  /** `epoch`: the log's, as the pod knows it; what is of another one is done with unread. */
  reader(reader: MemoryStreamReader, epoch: () => number): StreamReader {
    return {
      readNew: (signal) => reader.readNew(signal),
      readOwnPending: (after) => reader.readOwnPending(after),
      claimIdle: () => reader.claimIdle(),
      figures: () => reader.figures(),
      onReconnect: (listener) => reader.onReconnect(listener),
      acknowledge: (entries) => {
        for (const entry of entries) this.#acknowledged(entry, epoch());
        return reader.acknowledge(entries);
      },
    };
  }

  #acknowledged({ content, entryId }: StreamEntry, epoch: number): void {
    if (content === undefined || content.epoch !== epoch) return;
    const { conversationId, seq, replayNo: replay } = content.message;
    if (this.#broadcast.has(placeOf(conversationId, { epoch, seq, replay }))) return;
    this.#world.complain('acknowledged_early', `entry ${entryId} was acknowledged, and not broadcast`);
  }
}

function placeOf(conversationId: string, place: { epoch: number; seq: number; replay: number }): string {
  return `${conversationId}:${place.epoch}:${place.seq}:${place.replay}`;
}
