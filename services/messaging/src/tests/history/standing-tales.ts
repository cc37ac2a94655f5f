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
  },
} satisfies Partial<Record<CheckName, Record<string, Tale>>>;

function read(story: Story, userId: string, seq: number): void {
  const messageId = `m${seq}`;
  const hash = hashOf(messageId);
  story.add({ type: 'read', process: 'test', userId, conversationId: C, seq, messageId, hash, epoch: 1 });
}
