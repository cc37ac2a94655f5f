import { createHash, randomUUID } from 'node:crypto';
import { Fault } from '../../errors.ts';
import type {
  AppendOutcome,
  AppendRequest,
  ConversationLog,
  DeadLetterLog,
  DispatchLog,
  IntakeLog,
  ReaderLog,
} from '../../ports.ts';
import { Sealed } from '../../sealed.ts';

/** Payloads above it fit no frame, in the logs that the contract is tried on. */
export const PAYLOAD_LIMIT_BYTES = 2000;

/** A log and whoever else works on it. */
export interface LogUnderTest {
  readonly intake: IntakeLog;
  readonly conversations: ConversationLog;
  readonly reader: ReaderLog;
  readonly dispatch: DispatchLog;
  readonly deadLetters: DeadLetterLog;
  readonly operator: Operator;
  close(): Promise<void>;
}

/** What is done to a log from outside: at a prompt, by other pods, by time. */
export interface Operator {
  /** The runbook's INSERT of five columns; resolves with its seq. */
  insertRow(row: {
    conversationId: string;
    messageId?: string;
    eventType?: string;
    payload: string;
  }): Promise<number>;
  /** The runbook's UPDATE … SET status = 'pending', attempts = 0, dispatched_at = NULL. */
  replay(conversationId: string, from: number, to: number): Promise<void>;
  requeueDead(conversationId: string): Promise<void>;
  markDead(conversationId: string, seq: number): Promise<void>;
  loseRow(conversationId: string, seq: number): Promise<void>;
  expireUpTo(conversationId: string, seq: number): Promise<void>;
  raiseEpoch(): Promise<void>;
  /** Everything that waits has waited for so much longer. */
  passTime(ms: number): Promise<void>;
  /** An open transaction that holds a conversation's counter; what it resolves with ends it. */
  holdCounter(conversationId: string): Promise<() => Promise<void>>;
  /** Another dispatcher that owns the conversation's bucket. */
  holdBucket(bucket: number): Promise<() => Promise<void>>;
  /** The user is in as many conversations as one can be. */
  fillUser(userId: string): Promise<void>;
  /** The conversation has as many members as one can have. */
  fillConversation(conversationId: string): Promise<void>;
  row(conversationId: string, seq: number): Promise<RowFacts | undefined>;
  deadLetters(): Promise<{ entryId: string; group: string; reason: string; attempts: number }[]>;
}

/** What an operator sees of a row. */
export interface RowFacts {
  readonly status: string;
  readonly attempts: number;
  readonly replayNo: number;
  readonly lastError: string | undefined;
  readonly dispatched: boolean;
}

export type MakeLog = () => Promise<LogUnderTest>;

export const member = (userId: string) => ({ userId, manage: false, operate: false });
export const manager = { userId: 'the-service', manage: true, operate: false };
export const operating = { userId: 'on-call', manage: false, operate: true };

/** A conversation of `owner` and `members`, freshly made. */
export async function newConversation(
  log: LogUnderTest,
  owner = `owner-${randomUUID()}`,
  members: readonly string[] = [],
): Promise<{ conversationId: string; owner: string }> {
  const conversationId = randomUUID();
  await log.conversations.createConversation({ conversationId, owner, members });
  return { conversationId, owner };
}

/** A message as intake would hand it on; `text` decides the content's hash. */
export function request(
  conversationId: string,
  sender: string,
  text: string = randomUUID(),
  messageId: string = randomUUID(),
): AppendRequest {
  return {
    conversationId,
    messageId,
    eventId: randomUUID(),
    sender,
    payload: new Sealed(JSON.stringify({ ciphertext: text, sender })),
    contentHash: createHash('sha256').update(`${sender} ${text}`).digest(),
  };
}

/** Appends `texts` one group after the other; they are expected to be accepted. */
export async function appendTexts(
  log: LogUnderTest,
  conversationId: string,
  sender: string,
  texts: readonly string[],
): Promise<void> {
  const requests = texts.map((text) => request(conversationId, sender, text));
  const outcomes = await appendPatiently(log, requests);
  for (const outcome of outcomes) {
    if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${outcome.kind}`);
  }
}

/**
 * Appends a group as intake does: waiting for its counters, and again when a busy machine made it wait too long.
 */
export async function appendPatiently(
  log: LogUnderTest,
  requests: readonly AppendRequest[],
): Promise<AppendOutcome[]> {
  for (;;) {
    try {
      return await log.intake.append(requests, { waitForLock: true });
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'contention')) throw error;
    }
  }
}

export function textOf(payload: Sealed): string {
  return (JSON.parse(payload.reveal()) as { ciphertext: string }).ciphertext;
}

/** All that a page may hold. */
export const WHOLE = { limit: 1000, maxBytes: 10_000_000 };
