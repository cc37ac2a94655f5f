import pg from 'pg';
import type { FinalConversation, FinalMember, FinalRow, FinalState } from './final-state.ts';
import { payloadHash } from './payload-hash.ts';

const PAGE_ROWS = 20_000;

interface ConversationRow {
  readonly conversation_id: string;
  readonly last_seq: string;
  readonly floor_seq: string;
}
interface MemberRow {
  readonly conversation_id: string;
  readonly user_id: string;
  readonly joined_seq: string;
  readonly left_seq: string | null;
}
interface MessageRow {
  readonly id: string;
  readonly aggregate_id: string;
  readonly seq: string;
  readonly message_id: string;
  readonly status: FinalRow['status'];
  readonly attempts: number;
  readonly replay_no: number;
  readonly occurred_at_ms: string;
  readonly too_large: boolean;
  readonly payload: string;
}
interface MutableConversation extends FinalConversation {
  readonly rows: Map<number, FinalRow>;
  readonly members: Map<string, FinalMember>;
}

/** `id` is ascending in the order of commits of a conversation only: pages go by (id), which covers the whole log. */
const ROWS = `
  SELECT id, aggregate_id, seq, message_id, status, attempts, replay_no, size_bytes > $3 AS too_large,
    floor(extract(epoch FROM occurred_at) * 1000) AS occurred_at_ms, payload::text AS payload
  FROM messaging.message_outbox
  WHERE id > $1 AND event_type <> 'SyntheticProbe'
  ORDER BY id LIMIT $2`;

/**
 * The final state of a database, of one snapshot. The service's own synthetic messages are no part of it: nobody
 * posted them.
 * @param tooLargeAboveBytes the pods' bound of a row's payload
 */
export async function readFinalState(postgresUrl: string, tooLargeAboveBytes: number): Promise<FinalState> {
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const epochs = await client.query<{ epoch: string }>('SELECT epoch FROM messaging.log_epoch');
    const conversations = await readConversations(client);
    for (let after = '0'; ;) {
      const { rows } = await client.query<MessageRow>(ROWS, [after, PAGE_ROWS, tooLargeAboveBytes]);
      for (const row of rows) conversations.get(row.aggregate_id)?.rows.set(Number(row.seq), toFinalRow(row));
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) break;
      after = last.id;
    }
    await client.query('COMMIT');
    return { epoch: Number(epochs.rows[0]!.epoch), conversations };
  } finally {
    await client.end();
  }
}

async function readConversations(client: pg.Client): Promise<Map<string, MutableConversation>> {
  // A conversation that holds synthetic messages holds nothing else.
  const counters = await client.query<ConversationRow>(`
    SELECT conversation_id, last_seq, floor_seq FROM messaging.conversation
    WHERE conversation_id NOT IN (
      SELECT aggregate_id FROM messaging.message_outbox WHERE event_type = 'SyntheticProbe')`);
  const conversations = new Map<string, MutableConversation>();
  for (const row of counters.rows) {
    conversations.set(row.conversation_id, {
      conversationId: row.conversation_id,
      lastSeq: Number(row.last_seq),
      floor: Number(row.floor_seq),
      rows: new Map(),
      members: new Map(),
    });
  }
  const members = await client.query<MemberRow>(
    'SELECT conversation_id, user_id, joined_seq, left_seq FROM messaging.conversation_member',
  );
  for (const row of members.rows) {
    const leftSeq = row.left_seq === null ? undefined : Number(row.left_seq);
    conversations
      .get(row.conversation_id)
      ?.members.set(row.user_id, { joinedSeq: Number(row.joined_seq), leftSeq });
  }
  return conversations;
}

function toFinalRow(row: MessageRow): FinalRow {
  return {
    seq: Number(row.seq),
    messageId: row.message_id,
    status: row.status,
    attempts: row.attempts,
    replayNo: row.replay_no,
    hash: payloadHash(JSON.parse(row.payload)),
    occurredAt: Number(row.occurred_at_ms),
    tooLarge: row.too_large,
  };
}
