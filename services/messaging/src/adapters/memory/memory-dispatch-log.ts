import assert from 'node:assert/strict';
import { Fault } from '../../errors.ts';
import type { DispatchLog, DispatchRound, OutboxRow, ResendRule, Verdict } from '../../ports.ts';
import type { StoredMessage } from './log-state.ts';
import type { MemoryLogContext } from './memory-log.ts';
import { toLogMessage } from './memory-reader-log.ts';

const TOO_LARGE = 'too_large';
/** What adapters/postgres allows a transaction to stay idle, while its owner publishes. */
const OWNERSHIP_MAX_MS = 15_000;

interface Claim {
  readonly rows: readonly StoredMessage[];
  readonly epoch: number;
  /** Throws when a bucket may be somebody else's by now. */
  assertOwned(): void;
  release(): void;
}

export class MemoryDispatchLog implements DispatchLog {
  readonly #log: MemoryLogContext;
  readonly #resentAt = new Map<number, number>();
  readonly #lives = new Map<number, string>();

  constructor(log: MemoryLogContext) {
    this.#log = log;
  }

  pendingBuckets(): Promise<number[]> {
    return this.#log.transact(() =>
      [...new Set(this.#claimable().map((row) => row.bucket))].sort((a, b) => a - b),
    );
  }

  async dispatchBuckets(
    buckets: readonly number[],
    { limit }: { readonly limit: number },
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<readonly Verdict[]>,
  ): Promise<DispatchRound> {
    assert(buckets.length <= limit, 'a share of the limit for each bucket');
    const claim = await this.#log.transact(() => {
      const owned = buckets.filter((bucket) => !this.#log.heldBuckets.has(bucket)).sort((a, b) => a - b);
      const share = Math.floor(limit / owned.length);
      const claimable = this.#claimable();
      const claimed = owned.map((bucket) => claimable.filter((row) => row.bucket === bucket).slice(0, share));
      const full = owned.filter((_, index) => claimed[index]!.length === share);
      return { owned, full, ...this.#own(owned, claimed.flat()) };
    });
    const { owned, full } = claim;
    const busy = buckets.filter((bucket) => !owned.includes(bucket)).sort((a, b) => a - b);
    try {
      if (claim.rows.length === 0) return { picked: 0, sent: 0, failed: 0, dead: 0, busy, full };
      const rows = claim.rows.map((row) => this.#toOutboxRow(row));
      const verdicts = await publish(rows, claim.epoch);
      return await this.#log.transact(() => {
        claim.assertOwned();
        return { picked: rows.length, ...this.#mark(claim.rows, verdicts), busy, full };
      });
    } finally {
      claim.release();
    }
  }

  async resendBucket(
    bucket: number,
    { life, reconnected, withinMs, downMs, downMaxMs, everyMs }: ResendRule,
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<void>,
  ): Promise<number | undefined> {
    const claim = await this.#log.transact(() => {
      if (this.#log.heldBuckets.has(bucket)) return undefined;
      const now = this.#log.clock.now();
      const known = this.#lives.get(bucket);
      const isOther = known !== undefined && known !== life;
      if (!isOther && !(reconnected && now - (this.#resentAt.get(bucket) ?? -Infinity) > everyMs)) {
        this.#lives.set(bucket, life);
        return 'done';
      }
      const lostAt = isOther ? this.#lastDispatch(bucket, now - downMaxMs - withinMs) : now - downMs;
      return this.#own([bucket], this.#dispatchedSince(bucket, lostAt - withinMs));
    });
    if (claim === undefined) return undefined;
    if (claim === 'done') return 0;
    try {
      const rows = claim.rows.map((row) => this.#toOutboxRow(row)).filter((row) => row.message !== undefined);
      if (rows.length > 0) await publish(rows, claim.epoch);
      await this.#log.transact(() => {
        claim.assertOwned();
        this.#resentAt.set(bucket, this.#log.clock.now());
        this.#lives.set(bucket, life);
      });
      return rows.length;
    } finally {
      claim.release();
    }
  }

  backlog(): Promise<{ pending: number; oldestPendingSeconds: number; deadRows: number }> {
    return this.#log.transact(() => {
      const { clock } = this.#log;
      const messages = this.#messages();
      const pending = messages.filter((row) => row.status === 'pending');
      const now = clock.now();
      const times = pending.filter((row) => row.replayNo === 0).map((row) => row.occurredAt);
      return {
        pending: pending.length,
        oldestPendingSeconds: Math.max(0, now - Math.min(now, ...times)) / 1000,
        deadRows: messages.filter((row) => row.status === 'dead').length,
      };
    });
  }

  /**
   * Ownership lasts over the publishing: nobody else takes a row of these buckets before the verdicts are in. It ends
   * with the owner, and with the transaction of an owner that has not been heard of for too long.
   */
  #own(buckets: readonly number[], rows: readonly StoredMessage[]): Claim {
    const { heldBuckets, state, clock } = this.#log;
    const owner = {};
    const isOwner = (bucket: number) => heldBuckets.get(bucket) === owner;
    for (const bucket of buckets) heldBuckets.set(bucket, owner);
    const release = () => {
      timer.cancel();
      for (const bucket of buckets.filter(isOwner)) heldBuckets.delete(bucket);
    };
    const timer = clock.setTimer(OWNERSHIP_MAX_MS, release);
    const assertOwned = () => {
      if (!buckets.every(isOwner) || this.#log.state !== state)
        throw new Fault('unavailable', 'memory: the transaction is gone');
    };
    return { rows, epoch: state.epoch, assertOwned, release };
  }

  /** Pending rows by id, without those of parked conversations. */
  #claimable(): StoredMessage[] {
    const now = this.#log.clock.now();
    const pending = this.#log.state.pendingMessages();
    const parked = new Set(
      pending
        .filter((row) => row.attempts > 0 && (row.nextAttemptAt ?? -Infinity) > now)
        .map((row) => row.conversationId),
    );
    return pending.filter((row) => !parked.has(row.conversationId));
  }

  #messages(): StoredMessage[] {
    return [...this.#log.state.conversations.values()].flatMap(({ messages }) => [...messages.values()]);
  }

  #lastDispatch(bucket: number, since: number): number {
    const times = this.#dispatchedSince(bucket, since).map((row) => row.dispatchedAt!);
    return times.reduce((last, time) => Math.max(last, time), times[0] ?? Infinity);
  }

  #dispatchedSince(bucket: number, since: number): StoredMessage[] {
    return this.#messages()
      .filter(
        (row) => row.bucket === bucket && row.status === 'sent' && (row.dispatchedAt ?? -Infinity) >= since,
      )
      .sort((a, b) => a.id - b.id);
  }

  #mark(claimed: readonly StoredMessage[], verdicts: readonly Verdict[]) {
    const counts = { sent: 0, failed: 0, dead: 0 };
    for (const [index, row] of claimed.entries()) {
      const verdict = verdicts[index]!;
      if (verdict.kind === 'untouched') continue;
      const current = this.#log.state.conversations.get(row.conversationId)?.messages.get(row.seq);
      const asClaimed =
        current !== undefined &&
        current.id === row.id &&
        current.status === 'pending' &&
        current.replayNo === row.replayNo;
      // Set to pending while it was on its way: it had been sent, so this is a replay.
      if (asClaimed && verdict.kind === 'sent' && current !== row) {
        this.#log.state.put({ ...current, replayNo: current.replayNo + 1 });
      } else if (asClaimed) this.#log.state.put(this.#judged(current, verdict));
      if (asClaimed || verdict.kind !== 'sent') counts[verdict.kind] += 1;
    }
    return counts;
  }

  #judged(row: StoredMessage, verdict: Exclude<Verdict, { kind: 'untouched' }>): StoredMessage {
    const now = this.#log.clock.now();
    if (verdict.kind === 'sent') {
      return { ...row, status: 'sent', dispatchedAt: now, lastError: undefined, nextAttemptAt: undefined };
    }
    const attempts = row.attempts + (verdict.error === TOO_LARGE ? 0 : 1);
    return verdict.kind === 'failed'
      ? { ...row, attempts, lastError: verdict.error, nextAttemptAt: now + verdict.parkMs }
      : { ...row, attempts, lastError: verdict.error, nextAttemptAt: undefined, status: 'dead' };
  }

  #toOutboxRow(row: StoredMessage): OutboxRow {
    const message = row.sizeBytes > this.#log.payloadLimitBytes ? undefined : toLogMessage(row);
    return { id: String(row.id), bucket: row.bucket, attempts: row.attempts, message };
  }
}
