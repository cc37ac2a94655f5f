import type { CheckName } from './judge.ts';
import { hashOf, type Story, type Tale } from './story.ts';

const C = 'conversation';

/** Ann and Bob; Bob has the first `count` messages. */
function opening(story: Story, count = 0): void {
  story.create(C, ['ann', 'bob']);
  story.connect('bob-1', 'bob');
  story.seat('bob-1', C);
  for (let n = 1; n <= count; n++) {
    story.post(C, `m${n}`);
    story.deliver('bob-1', C, [n]);
  }
}

/** Who may read what, and what is said of places that do not come. */
export const STANDING_TALES = {
  non_member: {
    'what was said before he came': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      story.join(C, 'cid');
      story.post(C, 'm2');
      read(story, 'cid', isBroken ? 1 : 2);
    },
    'a page for somebody else altogether': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      read(story, isBroken ? 'eve' : 'bob', 1);
    },
    'a place in it for somebody else altogether': (story, isBroken) => {
      opening(story);
      story.connect('eve-1', 'eve', { subscribe: 'none' });
      story.add({ type: 'subscribe', connection: 'eve-1', conversationId: C, after: 'start' });
      const answer = isBroken ? { after: 0 } : { code: 'conversation_not_found' };
      story.add({ type: 'subscribed', connection: 'eve-1', conversationId: C, own: true, ...answer });
    },
    'a gap for somebody else altogether': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1', { status: 'dead' });
      story.connect('eve-1', 'eve', { operator: !isBroken, epoch: 1, cursors: [[C, 0]] });
      story.gap('eve-1', C, 1, 1, 'dead_letter');
    },
    'somebody else altogether': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      story.connect('eve-1', 'eve', { subscribe: 'none', operator: !isBroken });
      story.add({ type: 'subscribe', connection: 'eve-1', conversationId: C, after: 'start' });
      story.seat('eve-1', C, 0, true);
      story.deliver('eve-1', C, [1]);
    },
  },
  after_removal: {
    'posted after it': (story, isBroken) => {
      opening(story);
      if (isBroken) story.leave(C, 'bob');
      story.post(C, 'm1');
      story.deliver('bob-1', C, [1]);
    },
    'behind the news of it': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      if (!isBroken) story.deliver('bob-1', C, [1]);
      story.leave(C, 'bob');
      story.tell('bob-1', C, 'removed', 1);
      if (isBroken) story.deliver('bob-1', C, [1], { effect: 'fault' });
    },
  },
  gap_cause: {
    'a message announced as dead': (story, isBroken) => {
      opening(story, 1);
      story.post(C, 'm2', { status: isBroken ? 'sent' : 'dead' });
      story.gap('bob-1', C, 2, 2, 'dead_letter');
    },
    'expired before its time': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      story.post(C, 'm2');
      story.log.get(C)!.floor = isBroken ? 1 : 2;
      story.gap('bob-1', C, 1, 2, 'retention');
    },
    'missing, and there': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      if (!isBroken) {
        story.log.get(C)!.rows.delete(1);
        story.operate('delete_row', { places: [[C, 1, 1]] });
      }
      story.gap('bob-1', C, 1, 1, 'missing');
    },
    'missing, and only expired': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      Object.assign(story.log.get(C)!, { floor: 1 }).rows.delete(1);
      story.gap('bob-1', C, 1, 1, isBroken ? 'missing' : 'retention');
    },
    'expired, before anything did': (story, isBroken) => {
      pruning(story, () => story.gap('bob-1', C, 1, 1, 'retention'), isBroken);
    },
    'a message announced as dead that lived until it expired': (story, isBroken) => {
      story.add({ type: 'begin', process: 'test', wallMs: 0, seesExpiry: true });
      opening(story);
      story.post(C, 'm1', { status: isBroken ? 'sent' : 'dead' });
      story.gap('bob-1', C, 1, 1, 'dead_letter');
      if (!isBroken) story.resend('requeue', C, 1, 1);
      expire(story);
    },
    'away, and never gone': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      if (!isBroken) {
        story.leave(C, 'bob');
        story.join(C, 'bob');
      }
      story.gap('bob-1', C, 1, 1, 'not_member');
    },
  },
  reset_cause: {
    'cursors voided for nothing': (story, isBroken) => {
      opening(story, 1);
      story.connect('bob-2', 'bob', { epoch: isBroken ? 1 : 7, cursors: [[C, 1]] });
      story.add({ type: 'reset', connection: 'bob-2', conversationId: '*', epoch: 1, reason: 'epoch' });
    },
    'cursors of another epoch taken for good': (story, isBroken) => {
      opening(story, 1);
      story.connect('bob-2', 'bob', { epoch: isBroken ? 7 : 1, cursors: [[C, 1]] });
      story.seat('bob-2', C, 1);
      story.post(C, 'm2');
      story.deliver('bob-2', C, [2]);
    },
    'a cursor ahead of the log, and followed': (story, isBroken) => {
      opening(story, 1);
      story.close('bob-1');
      story.connect('cid-1', 'ann', { client: 'a tablet', epoch: 1, cursors: [[C, isBroken ? 2 : 1]] });
      story.post(C, 'm2');
      if (!isBroken) story.deliver('cid-1', C, [2]);
      story.end();
    },
    'a cursor ahead of all that the log ever held': (story, isBroken) => {
      opening(story, 1);
      story.close('bob-1');
      story.connect('cid-1', 'ann', { client: 'a tablet', epoch: 1, cursors: [[C, isBroken ? 9 : 1]] });
      story.end();
    },
  },
  refused_member: {
    'a POST': (story, isBroken) => {
      opening(story);
      if (!isBroken) story.leave(C, 'ann');
      story.add({ type: 'post_fail', post: story.begin(C, 'm1'), code: 'conversation_not_found' });
    },
    'a POST, while nobody is put out': (story, isBroken) => {
      opening(story);
      const post = story.begin(C, 'm1');
      if (!isBroken) {
        const who = { conversationId: C, userIds: ['ann'], by: 'ann' };
        story.add({ type: 'membership', phase: 'invoke', change: 'leaving', kind: 'remove', ...who });
      }
      story.add({ type: 'post_fail', post, code: 'conversation_not_found' });
    },
    'a subscription': (story, isBroken) => {
      opening(story);
      story.connect('ann-1', 'ann', { subscribe: 'none' });
      story.add({ type: 'subscribe', connection: 'ann-1', conversationId: C, after: 'start' });
      const answer = isBroken ? { code: 'conversation_not_found' } : { after: 0 };
      story.add({ type: 'subscribed', connection: 'ann-1', conversationId: C, own: true, ...answer });
    },
    'one who came back': (story, isBroken) => {
      opening(story);
      story.leave(C, 'ann');
      if (isBroken) story.join(C, 'ann');
      story.add({ type: 'post_fail', post: story.begin(C, 'm1'), code: 'conversation_not_found' });
    },
  },
  closed_for_good: {
    'as if the client had a bug': (story, isBroken) => {
      opening(story);
      story.close('bob-1', isBroken ? 4500 : 4420);
    },
  },
} satisfies Partial<Record<CheckName, Record<string, Tale>>>;

/** What Bob is told before the first message expires, or after it. */
function pruning(story: Story, tell: () => void, isEarly: boolean): void {
  story.add({ type: 'begin', process: 'test', wallMs: 0, seesExpiry: true });
  opening(story);
  story.post(C, 'm1');
  if (isEarly) tell();
  expire(story);
  if (!isEarly) tell();
}

function expire(story: Story): void {
  story.operate('prune', { places: [[C, 1, 1]] });
  Object.assign(story.log.get(C)!, { floor: 1 }).rows.delete(1);
}

function read(story: Story, userId: string, seq: number): void {
  const messageId = `m${seq}`;
  const hash = hashOf(messageId);
  story.add({ type: 'read', process: 'test', userId, conversationId: C, seq, messageId, hash, epoch: 1 });
}
