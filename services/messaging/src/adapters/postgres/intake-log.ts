import type { AppendOutcome, AppendRequest, IntakeLog } from '../../ports.ts';
import type { PostgresPool } from './pool.ts';

/** The function is in migrations/20250204_conversation_members.sql, with the reasons for its shape. */
const APPEND = {
  name: 'append-messages',
  text: `SELECT ord, outcome, seq, occurred_at, epoch
         FROM messaging.append_messages($1, $2, $3, $4, $5, $6, $7)`,
};

interface AppendRow {
  ord: number;
  outcome: AppendOutcome['kind'];
  seq: number;
  occurred_at: number;
  epoch: number;
}

export class PostgresIntakeLog implements IntakeLog {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async append(
    requests: readonly AppendRequest[],
    options: { readonly waitForLock: boolean },
  ): Promise<AppendOutcome[]> {
    if (requests.length === 0) return [];
    const rows = await this.#pool.query<AppendRow>(APPEND, [
      requests.map((request) => request.conversationId),
      requests.map((request) => request.messageId),
      requests.map((request) => request.eventId),
      requests.map((request) => request.sender),
      requests.map((request) => request.payload.reveal()),
      requests.map((request) => request.contentHash),
      options.waitForLock,
    ]);
    const outcomes = new Array<AppendOutcome>(requests.length);
    for (const row of rows) outcomes[row.ord - 1] = toOutcome(row);
    return outcomes;
  }
}

function toOutcome(row: AppendRow): AppendOutcome {
  switch (row.outcome) {
    case 'accepted':
    case 'duplicate':
      return { kind: row.outcome, seq: row.seq, occurredAt: row.occurred_at, epoch: row.epoch };
    default:
      return { kind: row.outcome };
  }
}
