import type { StoredConversation, StoredMessage } from '../../adapters/memory/log-state.ts';
import type { FinalConversation, FinalRow, FinalState } from '../history/final-state.ts';
import { payloadHash } from '../history/payload-hash.ts';
import { PAYLOAD_LIMIT_BYTES } from './sim-stages.ts';
import type { SimWorld } from './sim-world.ts';

/** The log as the run left it. */
export async function finalStateOf({ log, scenario }: SimWorld): Promise<FinalState> {
  const conversations = scenario.conversations.map(({ id }) => finalConversation(log.conversation(id)!));
  return {
    epoch: await log.reader.readEpoch(),
    conversations: new Map(conversations.map((conversation) => [conversation.conversationId, conversation])),
  };
}

function finalConversation(conversation: StoredConversation): FinalConversation {
  const { conversationId, lastSeq, floorSeq: floor, messages, members } = conversation;
  const rows = new Map([...messages].map(([seq, row]) => [seq, finalRow(row)]));
  return { conversationId, lastSeq, floor, rows, members };
}

function finalRow({
  seq,
  messageId,
  status,
  attempts,
  replayNo,
  occurredAt,
  sizeBytes,
  payload,
}: StoredMessage): FinalRow {
  const hash = payloadHash(JSON.parse(payload.reveal()));
  return {
    seq,
    messageId,
    status,
    attempts,
    replayNo,
    hash,
    occurredAt,
    tooLarge: sizeBytes > PAYLOAD_LIMIT_BYTES,
  };
}
