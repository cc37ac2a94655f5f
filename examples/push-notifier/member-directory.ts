import type { Conversations } from '@sanctum/client';

const CONVERSATIONS_MAX = 1000;

/** Who is in a conversation, asked for anew only when its members have changed. */
export class MemberDirectory {
  readonly #conversations: Pick<Conversations, 'members'>;
  readonly #known = new Map<string, { version: number; members: readonly string[] }>();

  constructor(conversations: Pick<Conversations, 'members'>) {
    this.#conversations = conversations;
  }

  /** @param version the entry's `members_version` */
  async members(conversationId: string, version: number): Promise<readonly string[]> {
    const known = this.#known.get(conversationId);
    if (known !== undefined && known.version >= version) return known.members;
    const members = (await this.#conversations.members(conversationId)).map(({ userId }) => userId);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= CONVERSATIONS_MAX && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(conversationId, { version, members });
    return members;
  }
}
