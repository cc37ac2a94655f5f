import { z } from 'zod';
import { CREATE_MEMBERS_MAX } from '../limits.ts';
import {
  ciphertext,
  durationMs,
  errorCode,
  historyAfter,
  keyId,
  messageSeq,
  pageCursor,
  pageLimit,
  scheme,
  seq,
  time,
  userId,
  uuid,
} from './scalars.ts';
import { gapReason, messageFrame } from './server-frames.ts';

/** Bodies, parameters and answers of `/v1`. Bodies refuse unknown fields, queries ignore them. */

export const createConversationBody = z
  .strictObject({
    conversation_id: uuid.optional(),
    members: z.array(userId).max(CREATE_MEMBERS_MAX),
  })
  .meta({ id: 'CreateConversationBody', description: 'The caller becomes owner and member' });

export const postMessageBody = z
  .strictObject({
    message_id: uuid,
    ciphertext,
    encryption: z.strictObject({ scheme, key_id: keyId.optional() }).optional(),
  })
  .meta({ id: 'PostMessageBody', description: 'A message; only ciphertext ever leaves the client' });

export const conversationParams = z
  .object({ id: uuid })
  .meta({ id: 'ConversationParams', description: 'Names a conversation' });

export const memberParams = z
  .object({ id: uuid, user_id: userId })
  .meta({ id: 'MemberParams', description: 'Names a member of a conversation' });

export const pageQuery = z
  .object({ cursor: pageCursor.optional(), limit: pageLimit })
  .meta({ id: 'PageQuery', description: 'A page of a listing' });

export const historyQuery = z
  .object({ after: historyAfter, limit: pageLimit })
  .meta({ id: 'HistoryQuery', description: 'A page of messages, after a `seq`' });

export const createdConversation = z
  .object({ conversation_id: uuid, owner: userId, head: seq, members_version: seq })
  .meta({ id: 'CreatedConversation', description: 'The conversation as it stands' });

const conversationFields = {
  conversation_id: uuid,
  head: seq.meta({ description: 'Its last `seq`; 0 while it is empty' }),
  min: seq.meta({ description: 'The lowest `seq` that the caller may read' }),
  joined_seq: seq,
  members_version: seq,
  last_occurred_at: time.nullable(),
};

export const conversation = z
  .object(conversationFields)
  .meta({ id: 'Conversation', description: 'A conversation of the caller' });

export const conversationDetail = z
  .object({ ...conversationFields, member_count: seq })
  .meta({ id: 'ConversationDetail', description: 'A conversation of the caller, with its size' });

export const conversationList = z
  .object({ conversations: z.array(conversation), next_cursor: pageCursor.nullable() })
  .meta({ id: 'ConversationList', description: 'Conversations of the caller' });

export const member = z
  .object({ user_id: userId, role: z.enum(['owner', 'member']), joined_seq: seq })
  .meta({ id: 'Member', description: 'A member of a conversation' });

export const memberList = z
  .object({ members: z.array(member), next_cursor: pageCursor.nullable() })
  .meta({ id: 'MemberList', description: 'Members of a conversation' });

export const addedMember = z
  .object({ user_id: userId, joined_seq: seq })
  .meta({ id: 'AddedMember', description: 'A member, and the first `seq` that they may read' });

export const postedMessage = z
  .object({ message_id: uuid, conversation_id: uuid, seq: messageSeq, epoch: seq, occurred_at: time })
  .meta({ id: 'PostedMessage', description: 'The message is committed at this `seq`' });

export const historyPage = z
  .object({
    epoch: seq,
    messages: z.array(messageFrame),
    gaps: z.array(z.object({ from: messageSeq, to: messageSeq, reason: gapReason })),
    head: seq,
    min: seq,
    next_after: seq.meta({ description: 'Ask again after this; done when it is the head' }),
  })
  .meta({ id: 'HistoryPage', description: 'Messages in ascending order, and what is missing among them' });

export const demoFileParams = z
  .object({ file: z.string() })
  .meta({ id: 'DemoFileParams', description: 'Names a file of the demo chat' });

/** A user of the demo chat: anybody gets a token for one, where that is switched on. */
export const demoTokenBody = z
  .strictObject({ user_id: z.string().regex(/^demo-[a-z0-9-]{1,59}$/) })
  .meta({ id: 'DemoTokenBody', description: 'Whom the token is for' });

export const demoToken = z
  .object({ token: z.string(), expires_at: time })
  .meta({ id: 'DemoToken', description: 'A token of ten minutes, without scopes' });

export const problemAnswer = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: errorCode,
    detail: z.string().optional(),
    retry_after_ms: durationMs.optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457; `code` is stable, nothing that was sent is echoed' });

export type CreateConversationBody = z.output<typeof createConversationBody>;
export type PostMessageBody = z.output<typeof postMessageBody>;
export type ConversationParams = z.output<typeof conversationParams>;
export type MemberParams = z.output<typeof memberParams>;
export type PageQuery = z.output<typeof pageQuery>;
export type HistoryQuery = z.output<typeof historyQuery>;
export type CreatedConversation = z.output<typeof createdConversation>;
export type Conversation = z.output<typeof conversation>;
export type ConversationDetail = z.output<typeof conversationDetail>;
export type ConversationList = z.output<typeof conversationList>;
export type Member = z.output<typeof member>;
export type MemberList = z.output<typeof memberList>;
export type AddedMember = z.output<typeof addedMember>;
export type PostedMessage = z.output<typeof postedMessage>;
export type HistoryPage = z.output<typeof historyPage>;
export type DemoToken = z.output<typeof demoToken>;
