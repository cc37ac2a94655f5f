import type { CursorEntry } from '@sanctum/protocol';
import type { Story } from './story.ts';

const CREDIT = 8;

/** A client and the server's end of its connection, both without a fault. */
export class CorrectDevice {
  readonly userId: string;
  connection = '';
  readonly cursors = new Map<string, number>();
  readonly #story: Story;
  #epoch = 0;
  #unacknowledged = 0;
  #delivered = 0;

  constructor(story: Story, userId: string) {
    this.#story = story;
    this.userId = userId;
  }

  /** With the cursors it has; the server seats what it has none of. */
  connect(connection: string): void {
    const story = this.#story;
    const { userId, cursors } = this;
    this.connection = connection;
    this.#unacknowledged = this.#delivered = 0;
    const entries: CursorEntry[] = [...cursors];
    const given = entries.length === 0 ? {} : { epoch: this.#epoch, cursors: entries };
    story.connect(connection, userId, { credit: CREDIT, withoutCursor: 'start', ...given });
    if (entries.length > 0 && this.#epoch !== story.epoch) {
      story.add({ type: 'reset', connection, conversationId: '*', epoch: story.epoch, reason: 'epoch' });
      this.received();
      cursors.clear();
    }
    this.#epoch = story.epoch;
    for (const { conversationId, members, floor } of story.log.values()) {
      const member = members.get(userId);
      const isPresent = member !== undefined && member.leftSeq === undefined;
      if (cursors.has(conversationId)) {
        if (isPresent) continue;
        cursors.delete(conversationId);
        story.add({
          type: 'subscribed',
          connection,
          conversationId,
          own: false,
          code: 'conversation_not_found',
        });
      } else if (isPresent) {
        cursors.set(conversationId, Math.max(member.joinedSeq - 1, floor));
        story.seat(connection, conversationId, cursors.get(conversationId));
      }
    }
  }

  /** What follows the cursor, as `viewPage` has it. */
  deliver(conversationId: string, count: number): void {
    const { rows, lastSeq, floor, members } = this.#story.log.get(conversationId)!;
    for (let n = 0; n < count; n++) {
      const cursor = this.cursors.get(conversationId);
      if (cursor === undefined || cursor >= lastSeq) return;
      const beginning = members.get(this.userId)!.joinedSeq - 1;
      let to = cursor + 1;
      if (cursor < beginning)
        this.#story.gap(this.connection, conversationId, cursor + 1, (to = beginning), 'not_member');
      else if (cursor < floor)
        this.#story.gap(this.connection, conversationId, cursor + 1, (to = floor), 'retention');
      else if (rows.get(to)!.status === 'dead')
        this.#story.gap(this.connection, conversationId, to, to, 'dead_letter');
      else
        this.#story.deliver(this.connection, conversationId, [to], {
          replay: rows.get(to)!.replayNo || undefined,
        });
      this.cursors.set(conversationId, to);
      this.received();
    }
  }

  /** A frame that costs credit came: it is acknowledged in time. */
  received(): void {
    this.#delivered += 1;
    this.#unacknowledged += 1;
    if (this.#unacknowledged < CREDIT / 2) return;
    this.#unacknowledged = 0;
    this.#story.add({ type: 'ack', connection: this.connection, delivered: this.#delivered });
  }
}
