import { Fault } from '../../errors.ts';
import type { AppendOutcome, AppendRequest, IntakeLog } from '../../ports.ts';
import type { MemoryLogContext } from './memory-log.ts';

export class MemoryIntakeLog implements IntakeLog {
  readonly #log: MemoryLogContext;

  constructor(log: MemoryLogContext) {
    this.#log = log;
  }

  append(
    requests: readonly AppendRequest[],
    options: { readonly waitForLock: boolean },
  ): Promise<AppendOutcome[]> {
    return this.#log.transact(() => {
      if (!requests.every((request) => isStorable(request))) {
        throw new Fault('bad_row', 'memory: a row can never be stored');
      }
      const held = requests.some((request) => this.#log.heldCounters.has(request.conversationId));
      if (held && options.waitForLock) throw new Fault('contention', 'memory: a counter is held');
      return requests.map((request) => this.#appendOne(request));
    });
  }

  #appendOne(request: AppendRequest): AppendOutcome {
    const { state, clock, heldCounters } = this.#log;
    const conversation = state.conversations.get(request.conversationId);
    if (conversation === undefined) return { kind: 'not_member' };
    if (heldCounters.has(request.conversationId)) return { kind: 'busy' };

    const knownSeq = conversation.seqByMessageId.get(request.messageId);
    const known = knownSeq === undefined ? undefined : conversation.messages.get(knownSeq);
    const contentHash = request.contentHash.toString('hex');
    if (known !== undefined && known.contentHash === contentHash) {
      return { kind: 'duplicate', seq: known.seq, occurredAt: known.occurredAt, epoch: state.epoch };
    }
    const member = conversation.members.get(request.sender);
    if (member === undefined || member.leftSeq !== undefined) return { kind: 'not_member' };
    if (known !== undefined) return { kind: 'reused' };

    const { eventId, messageId, payload } = request;
    const eventType = 'MessageCreated';
    const occurredAt = Math.floor(clock.now());
    const { seq } = state.append(conversation, {
      eventId,
      messageId,
      eventType,
      payload,
      occurredAt,
      contentHash,
    });
    return { kind: 'accepted', seq, occurredAt, epoch: state.epoch };
  }
}

/** What `jsonb` takes: JSON, without the one character that text cannot hold. */
function isStorable(request: AppendRequest): boolean {
  const json = request.payload.reveal();
  try {
    JSON.parse(json);
  } catch {
    return false;
  }
  return !json.includes('\\u0000') && !request.sender.includes('\0');
}
