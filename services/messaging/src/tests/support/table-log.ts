import { bucketOf } from '../../bucket.ts';
import type { Clock } from '../../clock.ts';
import type { DispatchLog, DispatchRound, LogMessage, OutboxRow, ResendRule, Verdict } from '../../ports.ts';
import { streamMessage } from './stream-messages.ts';

interface Row {
  readonly id: string;
  readonly bucket: number;
  readonly conversationId: string;
  readonly message: LogMessage | undefined;
  status: 'pending' | 'sent' | 'dead';
  attempts: number;
  parkedUntil: number;
  dispatchedAt: number;
}

/** A list of rows that obeys DispatchLog, for tests of the dispatcher's own decisions. */
export class TableLog implements DispatchLog {
  readonly rows: Row[] = [];
  /** Owned by another dispatcher. */
  readonly busy = new Set<number>();
  /** What every call rejects with. */
  failure: Error | undefined;
  /** The buckets of each call so far. */
  readonly claims: (readonly number[])[] = [];
  /** How many claims were under way at the same time. */
  mostClaims = 0;
  #underWay = 0;
  readonly #clock: Clock;
  readonly #resentAt = new Map<number, number>();
  readonly #lives = new Map<number, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds `count` messages to a conversation; without a message they are too large. */
  add(conversationId: string, count: number, { tooLarge = false } = {}): Row[] {
    return Array.from({ length: count }, () => {
      const seq = this.rows.filter((row) => row.conversationId === conversationId).length + 1;
      const row: Row = {
        id: String(this.rows.length + 1),
        bucket: bucketOf(conversationId),
        conversationId,
        message: tooLarge ? undefined : streamMessage({ conversationId, seq }).message,
        status: 'pending',
        attempts: 0,
        parkedUntil: 0,
        dispatchedAt: 0,
      };
      this.rows.push(row);
      return row;
    });
  }

  pendingBuckets(): Promise<number[]> {
    if (this.failure) return Promise.reject(this.failure);
    const pending = this.rows.filter((row) => row.status === 'pending' && !this.#parked(row.conversationId));
    return Promise.resolve([...new Set(pending.map(({ bucket }) => bucket))].toSorted((a, b) => a - b));
  }

  async dispatchBuckets(
    buckets: readonly number[],
    { limit }: { readonly limit: number },
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<readonly Verdict[]>,
  ): Promise<DispatchRound> {
    this.claims.push(buckets);
    if (this.failure) throw this.failure;
    const owned = buckets.filter((bucket) => !this.busy.has(bucket)).toSorted((a, b) => a - b);
    const busy = buckets.filter((bucket) => this.busy.has(bucket));
    const share = Math.floor(limit / owned.length);
    const claimed = owned.map((bucket) => this.#pendingIn(bucket).slice(0, share));
    const full = owned.filter((_, i) => claimed[i]?.length === share);
    const rows = claimed.flat();
    if (rows.length === 0) return { picked: 0, sent: 0, failed: 0, dead: 0, busy, full };
    this.#underWay += 1;
    this.mostClaims = Math.max(this.mostClaims, this.#underWay);
    try {
      const verdicts = await publish(rows, 1);
      verdicts.forEach((verdict, i) => this.#record(rows[i] as Row, verdict));
      const count = (kind: Verdict['kind']) => verdicts.filter((verdict) => verdict.kind === kind).length;
      const counts = {
        picked: rows.length,
        sent: count('sent'),
        failed: count('failed'),
        dead: count('dead'),
      };
      return { ...counts, busy, full };
    } finally {
      this.#underWay -= 1;
    }
  }

  async resendBucket(
    bucket: number,
    { life, reconnected, withinMs, downMs, everyMs }: ResendRule,
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<void>,
  ): Promise<number | undefined> {
    const now = this.#clock.now();
    if (this.busy.has(bucket)) return undefined;
    const known = this.#lives.get(bucket);
    const isOther = known !== undefined && known !== life;
    if (!isOther && !(reconnected && now - (this.#resentAt.get(bucket) ?? 0) >= everyMs)) {
      this.#lives.set(bucket, life);
      return 0;
    }
    const sent = this.rows.filter((row) => row.status === 'sent' && row.bucket === bucket);
    const lostAt = isOther ? Math.max(...sent.map((row) => row.dispatchedAt)) : now - downMs;
    const rows = sent.filter((row) => row.dispatchedAt >= lostAt - withinMs);
    if (rows.length > 0) await publish(rows, 1);
    this.#resentAt.set(bucket, now);
    this.#lives.set(bucket, life);
    return rows.length;
  }

  backlog(): Promise<{ pending: number; oldestPendingSeconds: number; deadRows: number }> {
    const count = (status: Row['status']) => this.rows.filter((row) => row.status === status).length;
    return Promise.resolve({ pending: count('pending'), oldestPendingSeconds: 0, deadRows: count('dead') });
  }

  #pendingIn(bucket: number): Row[] {
    return this.rows.filter(
      (row) => row.status === 'pending' && row.bucket === bucket && !this.#parked(row.conversationId),
    );
  }

  #parked(conversationId: string): boolean {
    const now = this.#clock.now();
    return this.rows.some(
      (row) => row.conversationId === conversationId && row.status === 'pending' && row.parkedUntil > now,
    );
  }

  #record(row: Row, verdict: Verdict): void {
    if (verdict.kind === 'untouched') return;
    if (verdict.kind !== 'sent') row.attempts += 1;
    if (verdict.kind === 'failed') row.parkedUntil = this.#clock.now() + verdict.parkMs;
    else row.status = verdict.kind;
    row.dispatchedAt = this.#clock.now();
  }
}
