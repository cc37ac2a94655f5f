import type { CheckName } from './judge.ts';
import type { Story, Tale } from './story.ts';

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

/** What clients are sent, and when. */
export const DELIVERY_TALES = {
  loss: {
    'a lost tail': (story, isBroken) => {
      opening(story, 1);
      story.post(C, 'm2');
      if (!isBroken) story.deliver('bob-1', C, [2]);
      story.end();
    },
    'nobody says that he was added': (story, isBroken) => {
      opening(story);
      story.connect('cid-1', 'cid');
      const joinedSeq = story.join(C, 'cid');
      if (!isBroken) story.tell('cid-1', C, 'added', joinedSeq);
      story.end();
    },
    'a beginning above what was asked for': (story, isBroken) => {
      opening(story, 2);
      story.connect('ann-1', 'ann', { withoutCursor: 'start' });
      story.seat('ann-1', C, isBroken ? 1 : 0);
      story.deliver('ann-1', C, isBroken ? [2] : [1, 2]);
      story.end();
    },
    'a beginning at a head that is not there yet': (story, isBroken) => {
      opening(story);
      story.connect('ann-1', 'ann');
      story.seat('ann-1', C, isBroken ? 2 : 0);
      for (const id of ['m1', 'm2']) story.post(C, id);
      story.deliver('bob-1', C, [1, 2]);
      if (!isBroken) story.deliver('ann-1', C, [1, 2]);
      story.end();
    },
    'a beginning at a head that never was': (story, isBroken) => {
      opening(story);
      story.connect('ann-1', 'ann');
      story.seat('ann-1', C, isBroken ? 2 : 0);
    },
  },
  resumed_ahead: {
    'with more than it had': (story, isBroken) => {
      opening(story, 1);
      for (const id of ['m2', 'm3', 'm4']) story.post(C, id);
      story.close('bob-1');
      story.connect('bob-2', 'bob', { epoch: 1, cursors: [[C, isBroken ? 3 : 1]] });
      story.deliver('bob-2', C, isBroken ? [4] : [2, 3, 4]);
    },
    'with more than either of its connections had': (story, isBroken) => {
      opening(story, 1);
      story.connect('bob-2', 'bob', { epoch: 1, cursors: [[C, 1]] });
      for (const id of ['m2', 'm3']) story.post(C, id);
      story.deliver('bob-2', C, [2]);
      story.connect('bob-3', 'bob', { epoch: 1, cursors: [[C, isBroken ? 3 : 2]] });
    },
  },
  credit: {
    'one frame too many': (story, isBroken) => {
      story.create(C, ['ann', 'bob']);
      story.connect('bob-1', 'bob', { credit: 2 });
      story.seat('bob-1', C);
      for (let n = 1; n <= 3; n++) story.post(C, `m${n}`);
      story.deliver('bob-1', C, [1, 2]);
      if (!isBroken) story.add({ type: 'ack', connection: 'bob-1', delivered: 1 });
      story.deliver('bob-1', C, [3]);
    },
  },
  settling: {
    'a message that took its time': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      story.now += isBroken ? 150 : 50;
      story.deliver('bob-1', C, [1]);
      story.end();
    },
    'an outage that outlived its cause': (story, isBroken) => {
      opening(story);
      story.add({ type: 'fault', phase: 'begin', name: 'redis is frozen' });
      story.post(C, 'm1');
      if (!isBroken) story.now += 150;
      story.add({ type: 'fault', phase: 'end', name: 'redis is frozen' });
      if (isBroken) story.now += 150;
      story.deliver('bob-1', C, [1]);
      story.end();
    },
  },
  silent_gap: {
    'a message skipped': (story, isBroken) => {
      opening(story, 1);
      story.post(C, 'm2');
      story.post(C, 'm3');
      if (!isBroken) story.deliver('bob-1', C, [2]);
      story.deliver('bob-1', C, [3], { effect: isBroken ? 'fault' : 'deliver' });
    },
    'a dead row without its gap': (story, isBroken) => {
      opening(story, 1);
      story.post(C, 'm2', { status: 'dead' });
      story.post(C, 'm3');
      if (!isBroken) story.gap('bob-1', C, 2, 2, 'dead_letter');
      story.deliver('bob-1', C, [3], { effect: isBroken ? 'fault' : 'deliver' });
    },
  },
  step_back: {
    'a message twice': (story, isBroken) => {
      opening(story, 2);
      if (isBroken) story.deliver('bob-1', C, [1], { effect: 'drop' });
    },
  },
  above_cursor: {
    'a replay of what has not come': (story, isBroken) => {
      opening(story, 1);
      story.post(C, 'm2');
      story.post(C, 'm3', { replayNo: 1 });
      if (!isBroken) story.deliver('bob-1', C, [2]);
      story.deliver('bob-1', C, [3], { replay: 1, effect: isBroken ? 'fault' : 'deliver' });
    },
    'a gap too far': (story, isBroken) => {
      opening(story, 1);
      story.post(C, 'm2', { status: 'dead' });
      story.post(C, 'm3', { status: 'dead' });
      const [from, effect] = isBroken ? ([3, 'fault'] as const) : ([2, 'moved'] as const);
      story.add({
        type: 'gap',
        connection: 'bob-1',
        conversationId: C,
        from,
        to: 3,
        reason: 'dead_letter',
        effect,
      });
    },
    'a message before anything says where it begins': (story, isBroken) => {
      story.create(C, ['ann', 'bob']);
      story.connect('bob-1', 'bob');
      if (!isBroken) story.seat('bob-1', C);
      story.post(C, 'm1');
      story.deliver('bob-1', C, [1], { effect: isBroken ? 'fault' : 'deliver' });
    },
  },
  client_rule: {
    'a repeat is handed on': (story, isBroken) => {
      opening(story, 1);
      story.resend('replay', C, 1, 1);
      story.deliver('bob-1', C, [1], { replay: 1, effect: isBroken ? 'deliver' : 'drop' });
    },
  },
  replay_lost: {
    'asked for, and not sent': (story, isBroken) => {
      opening(story, 2);
      story.resend('replay', C, 1, 2);
      story.deliver('bob-1', C, isBroken ? [1] : [1, 2], { replay: 1, effect: 'drop' });
      story.now += 60;
      story.end();
    },
    'sent too late': (story, isBroken) => {
      opening(story, 1);
      story.resend('replay', C, 1, 1);
      story.now += isBroken ? 60 : 20;
      story.deliver('bob-1', C, [1], { replay: 1, effect: 'drop' });
      story.now += 60;
      story.end();
    },
  },
} satisfies Partial<Record<CheckName, Record<string, Tale>>>;
