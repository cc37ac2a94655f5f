import type { HistoryEvent, HistoryEventOf } from './history.ts';
import type { CheckName } from './judge.ts';
import {
  edit,
  pick,
  isFresh,
  isRemoval,
  frameOf,
  isSameReader,
  isCurrent,
  isAlive,
  isCurrentGap,
  isAnswer,
  isFirstPost,
  seqOf,
  messageOf,
} from './mutation-picks.ts';
import type { Story } from './story.ts';

/** One change to a correct run, chosen by a number; false where the run offers nothing to change. */
export interface Mutation {
  /** At least one of these must see it. */
  readonly expected: readonly CheckName[];
  readonly mutate: (story: Story, n: number) => boolean;
}

type Message = HistoryEventOf<'message'>;

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'a delivery dropped': {
    // The last: it came again as a replay, and the client dropped what the checker had never seen come.
    expected: ['silent_gap', 'loss', 'above_cursor', 'client_rule'],
    mutate: (story, n) => edit(story, n, isCurrent(story), () => []),
  },
  'two deliveries swapped': {
    expected: ['silent_gap', 'step_back'],
    mutate(story, n) {
      const isFirst = (event: HistoryEvent, index: number): event is Message => {
        const next = story.events[index + 1];
        return isFresh(event) && next !== undefined && isFresh(next) && isSameReader(event, next);
      };
      const found = pick(story, n, isFirst);
      if (found === undefined) return false;
      const [one, other] = story.events.slice(found.index, found.index + 2) as [Message, Message];
      story.events.splice(found.index, 2, { ...other, at: one.at }, { ...one, at: other.at });
      return true;
    },
  },
  'a message delivered once more, at the next place': {
    expected: ['one_at_two_places'],
    mutate: (story, n) =>
      edit(story, n, isAlive(story), (event) => [event, { ...event, seq: event.seq + 1 }]),
  },
  'another message at its place': {
    expected: ['two_at_one_place', 'never_sent'],
    mutate: (story, n) => edit(story, n, isFresh, (event) => [{ ...event, messageId: 'another' }]),
  },
  'changed bytes': {
    expected: ['changed_bytes'],
    mutate: (story, n) => edit(story, n, isFresh, (event) => [{ ...event, hash: 'another hash' }]),
  },
  'a message read before its POST': {
    expected: ['seen_before_commit'],
    mutate: (story, n) =>
      edit(story, n, isFirstPost(story), (event) => {
        const { at, conversationId, messageId, hash } = event;
        const seq = seqOf(story, conversationId, messageId);
        if (seq === undefined) return undefined;
        const { epoch } = story;
        return [
          { type: 'read', at, process: 'test', userId: 'ann', conversationId, seq, messageId, hash, epoch },
          event,
        ];
      }),
  },
  'a delivery to one who was removed': {
    expected: ['after_removal'],
    mutate: (story, n) =>
      edit(story, n, isRemoval, (event) => [
        event,
        {
          ...frameOf(event),
          type: 'message',
          seq: Math.max(1, event.seq),
          messageId: 'm',
          hash: 'h',
          effect: 'fault',
        },
      ]),
  },
  'a delivery to a stranger': {
    expected: ['non_member'],
    mutate: (story, n) =>
      edit(story, n, isFresh, (event) => {
        const stranger = { connection: 'eve-1', client: 'eve', userId: 'eve', process: 'test', pod: 'pod-1' };
        const connect = { type: 'connect', at: event.at, ...stranger } as const;
        return [event, connect, { ...event, connection: 'eve-1' }];
      }),
  },
  'a gap dropped': {
    // The last: it came again as a replay, and the client dropped what the checker had never seen come.
    expected: ['silent_gap', 'loss', 'above_cursor', 'client_rule'],
    mutate: (story, n) => edit(story, n, isCurrentGap(story), () => []),
  },
  'a dead row announced as missing': {
    expected: ['gap_cause'],
    mutate: (story, n) =>
      edit(story, n, isCurrentGap(story, 'dead_letter'), (event) => [{ ...event, reason: 'missing' }]),
  },
  'a gap one too long': {
    expected: ['gap_cause'],
    mutate: (story, n) =>
      edit(story, n, isCurrentGap(story, 'dead_letter'), (event) => {
        const next = story.log.get(event.conversationId)!.rows.get(event.to + 1);
        return next?.status === 'sent' && next.replayNo === 0 ? [{ ...event, to: event.to + 1 }] : undefined;
      }),
  },
  'another seq answered': {
    expected: ['accepted_seq', 'accepted_lost', 'idempotency'],
    mutate: (story, n) => edit(story, n, isAnswer(story), (event) => [{ ...event, seq: event.seq! + 1 }]),
  },
  'a row gone': {
    expected: ['accepted_lost'],
    mutate: (story, n) =>
      edit(story, n, isAnswer(story), (event) => {
        for (const { rows, floor } of story.log.values()) {
          const row = rows.get(event.seq!);
          if (row === undefined || row.seq <= floor || row.messageId !== messageOf(story, event)) continue;
          rows.delete(row.seq);
        }
        return [event];
      }),
  },
  'no acknowledgements': {
    expected: ['credit'],
    mutate(story) {
      const busy = new Map<string, number>();
      for (const event of story.events) {
        if (event.type === 'message') busy.set(event.connection, (busy.get(event.connection) ?? 0) + 1);
      }
      if (Math.max(0, ...busy.values()) <= 8) return false;
      story.events.splice(0, Infinity, ...story.events.filter(({ type }) => type !== 'ack'));
      return true;
    },
  },
};
