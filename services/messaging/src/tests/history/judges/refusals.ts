import { closeAction } from '@sanctum/protocol';
import type { Judge } from '../judge.ts';
import type { Member } from '../model.ts';

/** What HTTP and WebSocket say to an outsider, and what intake says to HTTP. */
const NOT_THEIRS: ReadonlySet<string> = new Set(['conversation_not_found', 'not_member']);

/** A present member is served: no POST and no subscription of theirs is refused as an outsider's. */
export const refusedMember: Judge = {
  check: 'refused_member',
  begin(run, report) {
    const refusals: {
      at: number;
      member: Member;
      conversationId: string;
      connection?: string;
      text: string;
    }[] = [];
    return {
      post_fail({ at, post, code }, { conversation }) {
        const { sender, at: postedAt } = run.posts.get(post)!;
        if (sender === undefined || !NOT_THEIRS.has(code)) return;
        const member = run.member(conversation, sender);
        if (!wasPresent(member, postedAt)) return;
        const text = `a POST of ${sender}, a member all the while, was refused: ${code}`;
        refusals.push({ at, member, conversationId: conversation.id, text });
      },
      subscribed({ at, connection, conversationId, code }, { member, connection: { connect } }) {
        if (member === undefined || code === undefined || !NOT_THEIRS.has(code)) return;
        if (!wasPresent(member, connect.at)) return;
        const text = `${member.userId}, a member all the while, was refused: ${code}`;
        refusals.push({ at, member, conversationId, connection, text });
      },
      finish() {
        for (const { member, ...refusal } of refusals) {
          // A log that was set back meanwhile may not have known them.
          if (!member.unsure) report(refusal);
        }
      },
    };
  },
};

/** Let in before a time, and put out by nothing that may have come since. */
function wasPresent({ adds, removals, unsure }: Member, since: number): boolean {
  if (unsure) return false;
  return adds.some(
    (add) =>
      add.phase === 'ok' &&
      add.answeredAt < since &&
      removals.every(
        ({ phase, answeredAt }) => phase === 'fail' || (phase === 'ok' && answeredAt < add.invokedAt),
      ),
  );
}

/** No client of a run sends what a server may take for a bug: such a close is the server's. */
export const closedForGood: Judge = {
  check: 'closed_for_good',
  begin: (run, report) => ({
    close({ at, connection: id, code }) {
      const { connect } = run.connection(id);
      if (closeAction(code) !== 'stop_bug') return;
      report({ at, connection: id, text: `${connect.client} was closed with ${code}, as if it had a bug` });
    },
  }),
};
