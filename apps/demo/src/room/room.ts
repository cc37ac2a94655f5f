import { newSecret } from '@sanctum/client/webcrypto';
import { encodeBase64 } from '@sanctum/protocol';

/** What this page knows and the server does not: who is called what, and the keys. */
export interface Room {
  /** One pane each. */
  readonly people: readonly Person[];
  readonly conversations: readonly Conversation[];
  /** This browser was invited: another one made the conversation. */
  readonly isGuest: boolean;
}

export interface Person {
  readonly userId: string;
  readonly name: string;
}

export interface Conversation {
  readonly conversationId: string;
  readonly title: string;
  /** 32 bytes, as base64. The key is derived from it on each device. */
  readonly secret: string;
  /** Who may add members. */
  readonly owner: string;
  /** The server knows it. */
  readonly isCreated: boolean;
}

const KEPT = 'sanctum-demo';

/** Two people with new names on the server, and two conversations that only they have the keys of. */
export function newRoom(): Room {
  const ada = newPerson('Ada');
  const ben = newPerson('Ben');
  const conversations = ['Weekend', 'Work'].map((title) => newConversation(title, ada.userId));
  return { people: [ada, ben], conversations, isGuest: false };
}

/** The server is told a random name: it need not even know what people are called. */
export function newPerson(name: string): Person {
  return { name, userId: `demo-${crypto.randomUUID().slice(0, 13)}` };
}

export function newConversation(title: string, owner: string): Conversation {
  const conversationId = crypto.randomUUID();
  return { conversationId, title, secret: encodeBase64(newSecret()), owner, isCreated: false };
}

/** The room of this browser, from an earlier visit where there was one. */
export function loadRoom(): Room {
  try {
    const room = JSON.parse(localStorage.getItem(KEPT) ?? 'null') as Room | null;
    if (room !== null && room.people.length > 0) return room;
  } catch {
    // Somebody else's, or an old one's.
  }
  return newRoom();
}

export function keepRoom(room: Room): void {
  if (!room.isGuest) localStorage.setItem(KEPT, JSON.stringify(room));
}

export function forgetKept(): void {
  localStorage.removeItem(KEPT);
}
