import type { CheckName } from './judge.ts';
import { hashOf, type Story, type Tale } from './story.ts';

const C = 'conversation';

function opening(story: Story): void {
  story.create(C, ['ann', 'bob']);
  story.connect('bob-1', 'bob');
  story.seat('bob-1', C);
}

function entry(story: Story, messageId: string, seq: number, replay = 0): void {
  story.add({
    type: 'entry',
    conversationId: C,
    seq,
    messageId,
    hash: hashOf(messageId),
    epoch: 1,
    replay,
    resent: 0,
  });
}

function read(story: Story, userId: string, messageId: string, seq: number, hash = hashOf(messageId)): void {
  story.add({ type: 'read', process: 'test', userId, conversationId: C, seq, messageId, hash, epoch: 1 });
}

/** What the log, its answers and its membership say. */
export const LOG_TALES = {
  one_at_two_places: {
    'a message that two dispatchers placed': (story, isBroken) => {
      opening(story);
      story.begin(C, 'm1');
      story.append(C, 'm1');
      if (isBroken) story.append(C, 'm1');
    },
  },
  never_sent: {
    'out of nothing': (story, isBroken) => {
      opening(story);
      if (!isBroken) story.begin(C, 'm1');
      story.append(C, 'm1');
      story.deliver('bob-1', C, [1]);
    },
    'refused, and there': (story, isBroken) => {
      opening(story);
      const post = story.begin(C, 'm1');
      story.append(C, 'm1');
      if (isBroken) story.add({ type: 'post_fail', post, code: 'payload_too_large' });
      else story.add({ type: 'post_unknown', post });
    },
  },
  seen_before_commit: {
    'before its POST': (story, isBroken) => {
      opening(story);
      story.append(C, 'm1');
      if (!isBroken) story.begin(C, 'm1');
      story.deliver('bob-1', C, [1]);
      if (isBroken) story.begin(C, 'm1');
    },
    'rolled back': (story, isBroken) => {
      opening(story);
      story.begin(C, 'm1');
      story.append(C, 'm1');
      story.deliver('bob-1', C, [1]);
      if (isBroken) story.log.set(C, { ...story.log.get(C)!, lastSeq: 0, rows: new Map() });
    },
  },
  post_order: {
    'answered, then overtaken': (story, isBroken) => {
      opening(story);
      const first = story.begin(C, 'm1');
      const later = isBroken ? undefined : story.begin(C, 'm2');
      story.append(C, 'm2');
      story.append(C, 'm1');
      story.add({ type: 'post_ok', post: first, seq: 2, epoch: 1 });
      story.add({ type: 'post_ok', post: later ?? story.begin(C, 'm2'), seq: 1, epoch: 1 });
    },
  },
  accepted_lost: {
    'answered, and not there': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      if (isBroken) story.log.get(C)!.rows.delete(1);
    },
    'set back by a restore, or lost in it': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      story.post(C, 'm2');
      story.restore([[C, 1]]);
      if (isBroken) story.log.get(C)!.rows.delete(1);
    },
  },
  accepted_seq: {
    'another place than was answered': (story, isBroken) => {
      opening(story);
      const post = story.begin(C, 'm1');
      story.append(C, 'm1');
      story.add({ type: 'post_ok', post, seq: isBroken ? 2 : 1, epoch: 1 });
    },
  },
  idempotency: {
    'another answer to the same': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      const again = story.begin(C, 'm1');
      story.add({ type: 'post_ok', post: again, seq: isBroken ? 2 : 1, epoch: 1, repeat: true });
    },
    'another message under its id': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      const other = story.begin(C, 'm1', 'another hash');
      if (isBroken) story.add({ type: 'post_ok', post: other, seq: 1, epoch: 1 });
      else story.add({ type: 'post_fail', post: other, code: 'message_id_reused' });
    },
    'the same called another': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      const again = story.begin(C, 'm1', isBroken ? undefined : 'another hash');
      story.add({ type: 'post_fail', post: again, code: 'message_id_reused' });
    },
  },
  log_hole: {
    'a place that nobody has': (story, isBroken) => {
      opening(story);
      story.begin(C, 'm1');
      story.append(C, 'm1');
      if (isBroken) story.log.get(C)!.rows.delete(1);
    },
  },
  stream_order: {
    'overtaken while it was retried': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      story.post(C, 'm2');
      entry(story, isBroken ? 'm2' : 'm1', isBroken ? 2 : 1);
      entry(story, isBroken ? 'm1' : 'm2', isBroken ? 1 : 2);
      entry(story, 'm1', 1);
    },
  },
  stream_loss: {
    'marked as sent, and never was': (story, isBroken) => {
      opening(story);
      story.add({ type: 'observe' });
      story.post(C, 'm1');
      if (!isBroken) entry(story, 'm1', 1);
    },
    'marked as sent again, and never was': (story, isBroken) => {
      opening(story);
      story.add({ type: 'observe' });
      story.post(C, 'm1');
      entry(story, 'm1', 1);
      story.change(C, 1, { replayNo: 1 });
      if (!isBroken) entry(story, 'm1', 1, 1);
    },
  },
  undispatched: {
    'nobody dispatches it': (story, isBroken) => {
      opening(story);
      story.add({ type: 'observe' });
      story.post(C, 'm1', { status: isBroken ? 'pending' : 'sent' });
      entry(story, 'm1', 1);
      story.deliver('bob-1', C, [1]);
      story.now += 200;
      story.end();
    },
  },
  outsider_post: {
    'posted after the removal was answered': (story, isBroken) => {
      opening(story);
      if (isBroken) story.leave(C, 'ann');
      story.post(C, 'm1');
      if (!isBroken) story.leave(C, 'ann');
    },
    'behind the place where the membership ended': (story, isBroken) => {
      opening(story);
      const post = story.begin(C, 'm1');
      if (isBroken) story.leave(C, 'ann');
      const seq = story.append(C, 'm1');
      story.add({ type: 'post_ok', post, seq, epoch: 1 });
      if (!isBroken) story.leave(C, 'ann');
    },
  },
  two_at_one_place: {
    'to two readers': (story, isBroken) => {
      opening(story);
      story.begin(C, 'm1');
      story.begin(C, 'm2');
      Object.assign(story.log.get(C)!, { lastSeq: 2, floor: 2 });
      read(story, 'ann', 'm1', 1);
      read(story, 'bob', 'm2', isBroken ? 1 : 2);
    },
  },
  changed_bytes: {
    'on the way': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1');
      read(story, 'bob', 'm1', 1, isBroken ? 'another hash' : undefined);
    },
    'in the log': (story, isBroken) => {
      opening(story);
      story.post(C, 'm1', { hash: isBroken ? 'another hash' : hashOf('m1') });
    },
    'to one of two readers': (story, isBroken) => {
      opening(story);
      story.begin(C, 'm1');
      story.begin(C, 'm1', 'another hash');
      story.append(C, 'm1');
      read(story, 'ann', 'm1', 1);
      read(story, 'bob', 'm1', 1, isBroken ? 'another hash' : undefined);
    },
  },
} satisfies Partial<Record<CheckName, Record<string, Tale>>>;
