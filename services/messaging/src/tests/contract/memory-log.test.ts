import { randomUUID } from 'node:crypto';
import { CONVERSATIONS_PER_USER_MAX, MEMBERS_PER_CONVERSATION_MAX } from '@sanctum/protocol';
import { MemoryLog } from '../../adapters/memory/memory-log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { describeLogContract } from './log-contract.ts';
import { manager, PAYLOAD_LIMIT_BYTES, type LogUnderTest } from './log-under-test.ts';

describeLogContract('the memory log', async (): Promise<LogUnderTest> => {
  const clock = new ManualClock();
  const log = new MemoryLog({ clock, payloadLimitBytes: PAYLOAD_LIMIT_BYTES });
  const { conversations } = log;
  return {
    intake: log.intake,
    conversations,
    reader: log.reader,
    dispatch: log.dispatch,
    deadLetters: log.deadLetters,
    operator: {
      insertRow: async (row) =>
        log.insertRow({ messageId: randomUUID(), eventId: randomUUID(), eventType: 'MessageCreated', ...row })
          .seq,
      replay: async (conversationId, from, to) => void log.replay(conversationId, from, to),
      requeueDead: async (conversationId) => void log.requeueDead(conversationId),
      markDead: async (conversationId, seq) => log.markDead(conversationId, seq),
      loseRow: async (conversationId, seq) => log.loseRow(conversationId, seq),
      expireUpTo: async (conversationId, seq) => log.expireUpTo(conversationId, seq),
      raiseEpoch: async () => void log.raiseEpoch(),
      passTime: (ms) => clock.advance(ms),
      holdCounter: async (conversationId) => {
        const release = log.holdCounter(conversationId);
        return async () => release();
      },
      holdBucket: async (bucket) => {
        const release = log.holdBucket(bucket);
        return async () => release();
      },
      fillUser: async (userId) => {
        for (let count = 0; count < CONVERSATIONS_PER_USER_MAX; count += 1) {
          await conversations.createConversation({
            conversationId: randomUUID(),
            owner: userId,
            members: [],
          });
        }
      },
      fillConversation: async (conversationId) => {
        for (let count = 1; count < MEMBERS_PER_CONVERSATION_MAX; count += 1) {
          await conversations.addMember({ conversationId, actor: manager, userId: `member-${count}` });
        }
      },
      row: async (conversationId, seq) => {
        const row = log.row(conversationId, seq);
        if (row === undefined) return undefined;
        const { status, attempts, replayNo, lastError, dispatchedAt } = row;
        return { status, attempts, replayNo, lastError, dispatched: dispatchedAt !== undefined };
      },
      deadLetters: async () => log.deadLetters.rows(),
    },
    close: async () => {},
  };
});
