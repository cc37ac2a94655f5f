import type {
  HeadsAnswer,
  LogMessage,
  LogPage,
  LogRow,
  MembersAnswer,
  Membership,
  PageRequest,
  ReaderLog,
  ReplayPage,
  ReplayRequest,
  UserSnapshot,
} from '../../ports.ts';
import type { StoredConversation, StoredMember, StoredMessage } from './log-state.ts';
import type { MemoryLogContext } from './memory-log.ts';

export class MemoryReaderLog implements ReaderLog {
  readonly #log: MemoryLogContext;

  constructor(log: MemoryLogContext) {
    this.#log = log;
  }

  readPages(requests: readonly PageRequest[]): Promise<(LogPage | undefined)[]> {
    return this.#log.transact(() => requests.map((request) => this.#readPage(request)));
  }

  readReplays(requests: readonly ReplayRequest[]): Promise<ReplayPage[]> {
    return this.#log.transact(() =>
      requests.map(({ conversationId, from, to, limit, maxBytes }) => {
        const messages = this.#log.state.conversations.get(conversationId)?.messages ?? new Map();
        const found = ascending(messages.values()).filter(
          (row) => row.seq >= from && row.seq <= to && row.replayNo > 0 && this.#stateOf(row) === 'ready',
        );
        const kept = cut(found, { limit, maxBytes }, (row) => row.sizeBytes);
        return { messages: kept.map(toLogMessage), complete: kept.length === found.length };
      }),
    );
  }

  readHeads(conversationIds: readonly string[]): Promise<HeadsAnswer> {
    return this.#log.transact(() => {
      const known = conversationIds.flatMap((id) => this.#log.state.conversations.get(id) ?? []);
      const heads = new Map(known.map((conversation) => [conversation.conversationId, headOf(conversation)]));
      return { epoch: this.#log.state.epoch, heads };
    });
  }

  readUsers(
    userIds: readonly string[],
    options: { readonly withLeft: boolean },
  ): Promise<{ epoch: number; users: UserSnapshot[] }> {
    return this.#log.transact(() => ({
      epoch: this.#log.state.epoch,
      users: userIds.map((userId) => ({
        version: this.#log.state.users.get(userId)?.version ?? 0,
        memberships: [...this.#log.state.conversations.values()].flatMap((conversation) => {
          const member = conversation.members.get(userId);
          if (member === undefined || (member.leftSeq !== undefined && !options.withLeft)) return [];
          const membership = toMembership(conversation, member);
          return [{ ...membership, ...headOf(conversation), present: member.leftSeq === undefined }];
        }),
      })),
    }));
  }

  readUserVersions(userIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#log.transact(
      () => new Map(userIds.map((userId) => [userId, this.#log.state.users.get(userId)?.version ?? 0])),
    );
  }

  readMembers(
    requests: readonly { conversationId: string; userIds: readonly string[] }[],
  ): Promise<(MembersAnswer | undefined)[]> {
    return this.#log.transact(() =>
      requests.map(({ conversationId, userIds }) => {
        const conversation = this.#log.state.conversations.get(conversationId);
        if (conversation === undefined) return undefined;
        const members = new Map<string, Membership>();
        for (const userId of userIds) {
          const member = conversation.members.get(userId);
          if (member !== undefined) members.set(userId, toMembership(conversation, member));
        }
        return { membersVersion: conversation.membersVersion, head: conversation.lastSeq, members };
      }),
    );
  }

  readEpoch(): Promise<number> {
    return this.#log.transact(() => this.#log.state.epoch);
  }

  #readPage({ conversationId, after, limit, maxBytes }: PageRequest): LogPage | undefined {
    const conversation = this.#log.state.conversations.get(conversationId);
    if (conversation === undefined) return undefined;
    const start = Math.max(after, conversation.floorSeq);
    const found = ascending(conversation.messages.values()).filter((row) => row.seq > start);
    const kept = cut(found, { limit, maxBytes }, (row) =>
      this.#stateOf(row) === 'ready' ? row.sizeBytes : 0,
    );
    const all = kept.map((row) => this.#toLogRow(row));
    const retrying = all.findIndex((row) => row.state === 'retrying');
    const rows = retrying === -1 ? all : all.slice(0, retrying + 1);
    return {
      ...headOf(conversation),
      epoch: this.#log.state.epoch,
      rows,
      complete: rows.length === found.length,
    };
  }

  #toLogRow(row: StoredMessage): LogRow {
    const state = this.#stateOf(row);
    return state === 'ready' ? { state, seq: row.seq, message: toLogMessage(row) } : { state, seq: row.seq };
  }

  #stateOf(row: StoredMessage): LogRow['state'] {
    if (row.status === 'dead' || row.sizeBytes > this.#log.payloadLimitBytes) return 'dead';
    return row.status === 'pending' && row.attempts > 0 ? 'retrying' : 'ready';
  }
}

export function toLogMessage(row: StoredMessage): LogMessage {
  const {
    conversationId,
    seq,
    messageId,
    eventId,
    eventType,
    occurredAt,
    membersVersion,
    replayNo,
    payload,
  } = row;
  return {
    conversationId,
    seq,
    messageId,
    eventId,
    eventType,
    occurredAt,
    membersVersion,
    replayNo,
    payload,
  };
}

function ascending(rows: Iterable<StoredMessage>): StoredMessage[] {
  return [...rows].sort((a, b) => a.seq - b.seq);
}

/** At most `limit` rows, and no more than `maxBytes` of them, but at least one. */
function cut(
  rows: readonly StoredMessage[],
  { limit, maxBytes }: { limit: number; maxBytes: number },
  sizeOf: (row: StoredMessage) => number,
): StoredMessage[] {
  let bytes = 0;
  const kept: StoredMessage[] = [];
  for (const row of rows.slice(0, limit)) {
    bytes += sizeOf(row);
    if (kept.length > 0 && bytes > maxBytes) break;
    kept.push(row);
  }
  return kept;
}

function headOf(conversation: StoredConversation) {
  const { lastSeq: head, floorSeq: floor, membersVersion } = conversation;
  return { head, floor, membersVersion };
}

function toMembership(conversation: StoredConversation, member: StoredMember): Membership {
  const { joinedSeq, leftSeq, changedVersion } = member;
  return { conversationId: conversation.conversationId, joinedSeq, leftSeq, changedVersion };
}
