import type { HistoryEventOf } from './history.ts';
import type { Change, Conversation, Member } from './model.ts';
import type { Run } from './run.ts';

/** What owners and services do to the run: who is in which conversation, since when. */
export class MemberFollower {
  readonly #run: Run;
  readonly #changes = new Map<string, { readonly change: Change; readonly members: readonly Member[] }>();

  constructor(run: Run) {
    this.#run = run;
  }

  change(event: HistoryEventOf<'membership'>): void {
    if (event.phase === 'invoke') return this.#invoke(event);
    const known = this.#changes.get(event.change);
    if (known === undefined) throw new Error(`the history has no membership change ${event.change}`);
    this.#changes.delete(event.change);
    const { change, members } = known;
    change.phase = event.phase;
    change.answeredAt = event.at;
    change.joinedSeq ??= event.joinedSeq;
    for (const member of members) member.plainJoinedSeq = plainJoinedSeq(member);
  }

  /** The log was set back: who was let in or put out since, nobody can say. */
  restored(conversations: Iterable<Conversation>): void {
    for (const conversation of conversations) {
      for (const member of conversation.members.values()) {
        member.unsure = true;
        member.plainJoinedSeq = undefined;
      }
    }
  }

  #invoke(event: HistoryEventOf<'membership'>): void {
    const { kind, conversationId, userIds, at } = event;
    if (kind === undefined || conversationId === undefined || userIds === undefined) {
      throw new Error(`membership change ${event.change} does not say what it is`);
    }
    const conversation = this.#run.conversation(conversationId);
    const change: Change = {
      invokedAt: at,
      phase: 'invoke',
      answeredAt: Infinity,
      // In a new conversation everything is everybody's.
      joinedSeq: kind === 'create' ? 1 : undefined,
    };
    const members = userIds.map((userId) => this.#run.member(conversation, userId));
    for (const member of members) {
      (kind === 'remove' ? member.removals : member.adds).push(change);
      member.plainJoinedSeq = plainJoinedSeq(member);
    }
    this.#changes.set(event.change, { change, members });
  }
}

function plainJoinedSeq({ adds, removals, unsure }: Member): number | undefined {
  const [add] = adds;
  const isPlain = adds.length === 1 && removals.length === 0 && !unsure && add?.phase === 'ok';
  return isPlain ? add.joinedSeq : undefined;
}
