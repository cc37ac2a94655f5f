import { decodeBase64, encodeBase64 } from '@sanctum/protocol';
import type { Conversation, Person, Room } from './room.ts';

const PREFIX = '#invite=';

/**
 * The link that brings somebody into a conversation from another browser. Who they are and the key stand behind
 * the `#`: browsers send that part to no server.
 */
export function invitationLink(page: string, guest: Person, conversation: Conversation): string {
  const { conversationId, title, secret, owner } = conversation;
  const json = JSON.stringify({ guest, conversation: { conversationId, title, secret, owner } });
  const text = encodeBase64(new TextEncoder().encode(json));
  return `${page}${PREFIX}${text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

/** The room that an address invites to; undefined where it does not invite, or not in a way that can be read. */
export function invitedRoom(hash: string): Room | undefined {
  if (!hash.startsWith(PREFIX)) return undefined;
  const text = hash.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/');
  const bytes = decodeBase64(text.padEnd(Math.ceil(text.length / 4) * 4, '='));
  try {
    const { guest, conversation } = JSON.parse(new TextDecoder().decode(bytes)) as {
      guest: Person;
      conversation: Omit<Conversation, 'isCreated'>;
    };
    const { userId, name } = guest;
    const { conversationId, title, secret, owner } = conversation;
    if (![userId, name, conversationId, title, secret, owner].every((each) => typeof each === 'string')) {
      return undefined;
    }
    return { people: [guest], conversations: [{ ...conversation, isCreated: true }], isGuest: true };
  } catch {
    return undefined;
  }
}
