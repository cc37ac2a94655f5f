import type { CursorEntry } from '@sanctum/protocol';
import type { FinalConversation, FinalMember, FinalRow } from './final-state.ts';

export interface LogConversation extends FinalConversation {
  lastSeq: number;
  floor: number;
  readonly rows: Map<number, FinalRow>;
  readonly members: Map<string, FinalMember>;
}

/** The log that goes with a story. */
export class StoryLog {
  readonly conversations = new Map<string, LogConversation>();

  create(conversationId: string, userIds: readonly string[]): void {
    const members = new Map(userIds.map((userId) => [userId, { joinedSeq: 1, leftSeq: undefined }]));
    this.conversations.set(conversationId, {
      conversationId,
      lastSeq: 0,
      floor: 0,
      rows: new Map(),
      members,
    });
  }

  join(conversationId: string, userId: string): number {
    const { members, lastSeq } = this.#get(conversationId);
    const joinedSeq = lastSeq + 1;
    members.set(userId, { joinedSeq, leftSeq: undefined });
    return joinedSeq;
  }

  leave(conversationId: string, userId: string): void {
    const { members, lastSeq } = this.#get(conversationId);
    members.set(userId, { joinedSeq: members.get(userId)!.joinedSeq, leftSeq: lastSeq });
  }

  append(
    conversationId: string,
    row: Pick<FinalRow, 'messageId' | 'hash' | 'occurredAt'> & Partial<FinalRow>,
  ): number {
    const log = this.#get(conversationId);
    log.lastSeq += 1;
    const usual = { status: 'sent', attempts: 0, replayNo: 0, tooLarge: false } as const;
    log.rows.set(log.lastSeq, { seq: log.lastSeq, ...usual, ...row });
    return log.lastSeq;
  }

  change(conversationId: string, seq: number, fields: Partial<FinalRow>): void {
    const { rows } = this.#get(conversationId);
    rows.set(seq, { ...rows.get(seq)!, ...fields });
  }

  setBack(heads: readonly CursorEntry[]): void {
    for (const [conversationId, head] of heads) {
      const log = this.#get(conversationId);
      for (const seq of log.rows.keys()) if (seq > head) log.rows.delete(seq);
      log.lastSeq = head;
    }
  }

  #get(conversationId: string): LogConversation {
    return this.conversations.get(conversationId)!;
  }
}
