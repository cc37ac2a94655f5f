/** What the specifications show; each is checked against its schema by a test. */

const CONVERSATION = '3f0f4a3e-5a0b-4f7e-9a53-0d9a5c6f2b11';
const MESSAGE = '9b2c7f64-2d36-4c0a-8f43-6f1f0f6f8c21';
const TIME = '2026-01-31T09:26:53.589Z';

export const createConversationBody = { conversation_id: CONVERSATION, members: ['bob', 'carol'] };
export const createdConversation = {
  conversation_id: CONVERSATION,
  owner: 'alice',
  head: 0,
  members_version: 1,
};

const conversation = {
  conversation_id: CONVERSATION,
  head: 41,
  min: 1,
  joined_seq: 1,
  members_version: 3,
  last_occurred_at: TIME,
};
export const conversationList = { conversations: [conversation], next_cursor: null };
export const conversationDetail = { ...conversation, member_count: 3 };
export const memberList = {
  members: [
    { user_id: 'alice', role: 'owner', joined_seq: 1 },
    { user_id: 'bob', role: 'member', joined_seq: 1 },
  ],
  next_cursor: 'Ym9i',
};
export const addedMember = { user_id: 'dave', joined_seq: 42 };

const encryption = { scheme: 'aes-256-gcm', key_id: 'k1' };
export const postMessageBody = { message_id: MESSAGE, ciphertext: 'c2VhbGVk', encryption };
export const postedMessage = {
  message_id: MESSAGE,
  conversation_id: CONVERSATION,
  seq: 42,
  epoch: 1,
  occurred_at: TIME,
};
export const historyPage = {
  epoch: 1,
  messages: [
    {
      type: 'message',
      conversation_id: CONVERSATION,
      seq: 42,
      message_id: MESSAGE,
      event_type: 'MessageCreated',
      occurred_at: TIME,
      members_version: 3,
      payload: { ciphertext: 'c2VhbGVk', encryption, sender: 'alice' },
    },
  ],
  gaps: [{ from: 40, to: 41, reason: 'dead_letter' }],
  head: 42,
  min: 1,
  next_after: 42,
};

export const demoTokenBody = { user_id: 'demo-5e1c' };
export const demoToken = { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl', expires_at: TIME };
