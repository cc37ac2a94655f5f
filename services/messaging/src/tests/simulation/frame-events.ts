import type { Effect } from '@sanctum/client';
import type { ServerFrame } from '@sanctum/protocol';
import type { UnstampedEvent } from '../history/history.ts';
import { payloadHash } from '../history/payload-hash.ts';

/** What a history says of a frame that a client has read, and of what its rule made of it. */
export function frameEvents(
  connection: string,
  frame: ServerFrame,
  made: Effect['kind'] | undefined,
): readonly UnstampedEvent[] {
  // Of the kinds that a message, gap or member frame can have.
  const effect = made as 'deliver' | 'moved' | undefined;
  switch (frame.type) {
    case 'ready':
      return [{ type: 'ready', connection, epoch: frame.epoch, credit: frame.credit }];
    case 'caught_up':
      return [{ type: 'caught_up', connection }];
    case 'message': {
      const { conversation_id: conversationId, seq, message_id: messageId, payload, replay } = frame;
      const place = { connection, conversationId, seq, messageId, hash: payloadHash(payload) };
      return [{ type: 'message', ...place, effect: effect === 'deliver' ? undefined : effect, replay }];
    }
    case 'gap': {
      const { conversation_id: conversationId, from, to, reason } = frame;
      const place = { connection, conversationId, from, to, reason };
      return [{ type: 'gap', ...place, effect: effect === 'moved' ? undefined : effect }];
    }
    case 'member': {
      const { conversation_id: conversationId, change, seq, head, members_version: membersVersion } = frame;
      return [{ type: 'member', connection, conversationId, change, seq, head, membersVersion, effect }];
    }
    case 'reset': {
      const { conversation_id: conversationId, epoch, reason } = frame;
      return [{ type: 'reset', connection, conversationId, epoch, reason }];
    }
    case 'subscribed':
      return frame.conversations.map((item) => ({
        type: 'subscribed',
        connection,
        conversationId: item.conversation_id,
        own: frame.id !== undefined,
        ...(item.status === 'ok' ? { after: item.after } : { code: item.code }),
      }));
    default:
      return [];
  }
}
