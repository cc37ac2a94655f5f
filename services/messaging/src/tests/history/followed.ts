import { lastServed, type FinalConversation, type FinalState } from './final-state.ts';
import type { Connection, Reader } from './model.ts';
import type { Run } from './run.ts';

/** A conversation that a connection, open at the end, had to be at the head of. */
interface Followed {
  readonly connection: Connection;
  readonly conversation: FinalConversation;
  /** The last place that it must have. */
  readonly last: number;
  readonly reader: Reader | undefined;
}

/** Every connection that is open at the end, with every conversation that it follows then. */
export function* followed(run: Run, final: FinalState): Generator<Followed> {
  const open = new Map<string, Connection[]>();
  for (const connection of run.connections.values()) {
    if (connection.closedAt !== undefined || connection.readyAt === undefined) continue;
    const { userId } = connection.connect;
    open.set(userId, [...(open.get(userId) ?? []), connection]);
  }
  for (const conversation of final.conversations.values()) {
    const last = lastServed(conversation);
    for (const [userId, { leftSeq }] of conversation.members) {
      if (leftSeq !== undefined) continue;
      for (const connection of open.get(userId) ?? []) {
        const reader = connection.readers.get(conversation.conversationId);
        if (follows(connection, reader)) yield { connection, conversation, last, reader };
      }
    }
  }
}

function follows({ hello }: Connection, reader: Reader | undefined): boolean {
  if (reader?.unsubscribed === true) return false;
  if (hello?.subscribe !== 'none') return true;
  return reader !== undefined && (reader.cursor !== undefined || reader.asked !== undefined);
}
