import type { Judge } from '../judge.ts';
import type { Member } from '../model.ts';

/** Only a present member's message is accepted (I7): not that of one who was put out before it was posted. */
export const outsiderPost: Judge = {
  check: 'outsider_post',
  begin(run, report) {
    /** Of each sender of each conversation the highest place, in the newest epoch. */
    const last = new Map<Member, { at: number; conversationId: string; epoch: number; seq: number }>();
    return {
      post_ok({ at, post, seq, epoch = 0, repeat }, message) {
        const { sender, at: postedAt } = run.posts.get(post)!;
        // The same message again is recognised before membership is checked.
        if (sender === undefined || seq === undefined || repeat === true) return;
        const conversationId = message.conversation.id;
        const member = run.member(message.conversation, sender);
        const before = last.get(member);
        if (before === undefined || before.epoch < epoch || (before.epoch === epoch && before.seq < seq)) {
          last.set(member, { at, conversationId, epoch, seq });
        }
        if (member.unsure || !wasPutOut(member, { postedAt, answeredAt: at })) return;
        const text = `${message.id} of ${sender} was accepted at ${seq}, posted after the removal`;
        report({ at, conversationId, text });
      },
      finish(final) {
        for (const [{ userId }, { at, conversationId, epoch, seq }] of last) {
          const leftSeq = final.conversations.get(conversationId)?.members.get(userId)?.leftSeq;
          if (epoch !== final.epoch || leftSeq === undefined || seq <= leftSeq) continue;
          report({ at, conversationId, text: `${seq} was accepted of ${userId}, who left at ${leftSeq}` });
        }
      },
    };
  },
};

/** Removed before the POST began, and let in by nothing that may have come between. */
function wasPutOut(
  { adds, removals }: Member,
  { postedAt, answeredAt }: { readonly postedAt: number; readonly answeredAt: number },
): boolean {
  return removals.some((removal) => {
    if (removal.phase !== 'ok' || removal.answeredAt >= postedAt) return false;
    return !adds.some(({ phase, ...add }) => {
      const isOver = phase === 'ok' && add.answeredAt <= removal.invokedAt;
      return phase !== 'fail' && !isOver && add.invokedAt < answeredAt;
    });
  });
}
