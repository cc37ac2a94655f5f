import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PostgresConversationLog } from '../../../adapters/postgres/conversation-log.ts';
import { PostgresIntakeLog } from '../../../adapters/postgres/intake-log.ts';
import { INTAKE_TIMEOUT_MS, PostgresPool } from '../../../adapters/postgres/pool.ts';
import { bounds } from '../../../bounds.ts';
import { systemClock } from '../../../clock.ts';
import { Intake, type IntakeOutcome } from '../../../intake/intake.ts';
import { silentLog } from '../../../log.ts';
import { freshDatabase, ownPostgres } from '../../support/servers.ts';

let pool: PostgresPool;
let intake: Intake;
let operator: pg.Client;

async function begin(url: string): Promise<void> {
  const { groupsInFlightMax, sideLanesMax } = bounds.intake;
  const maxConnections = groupsInFlightMax + sideLanesMax;
  pool = new PostgresPool({ url, applicationName: 'test', maxConnections, callTimeoutMs: INTAKE_TIMEOUT_MS });
  const intakeLog = new PostgresIntakeLog(pool);
  intake = new Intake({ intakeLog, clock: systemClock, log: silentLog, onCommitted: () => undefined });
  operator = new pg.Client({ connectionString: url });
  operator.on('error', () => undefined);
  await operator.connect();
}

afterEach(async () => {
  await operator.end();
  await pool.end();
});

async function conversation(): Promise<string> {
  const conversationId = randomUUID();
  await new PostgresConversationLog(pool).createConversation({ conversationId, owner: 'alice', members: [] });
  return conversationId;
}

function post(
  conversationId: string,
  messageId: string = randomUUID(),
  sender = 'alice',
): Promise<IntakeOutcome> {
  return intake.post({ conversationId, messageId, sender, ciphertext: 'c2VhbGVk' });
}

describe('intake before PostgreSQL', () => {
  beforeEach(async () => begin(await freshDatabase()));

  it('commits each conversation in the order of its posts, whatever stands beside them', async () => {
    const conversations = await Promise.all(Array.from({ length: 7 }, conversation));
    const outcomes = await Promise.all(
      Array.from({ length: 3500 }, async (_, i) => ({ i, outcome: await post(conversations[i % 7]!) })),
    );
    for (const { i, outcome } of outcomes) {
      expect(outcome).toMatchObject({ kind: 'accepted', seq: Math.floor(i / 7) + 1 });
    }
  });

  it('stores a message once, however often and closely it is posted', async () => {
    const id = await conversation();
    const message = randomUUID();
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => post(id, message)));
    expect(outcomes.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
    expect(outcomes.filter(({ kind }) => kind === 'duplicate')).toHaveLength(99);
    expect(new Set(outcomes.map((outcome) => 'seq' in outcome && outcome.seq))).toEqual(new Set([1]));
  });

  it('an operator’s open transaction stalls his conversation, not the pod', async () => {
    const [locked, free] = [await conversation(), await conversation()];
    await operator.query('BEGIN');
    await operator.query('SELECT FROM messaging.conversation WHERE conversation_id = $1 FOR UPDATE', [
      locked,
    ]);
    const begun = performance.now();
    const stalled = post(locked);
    for (let i = 1; i <= 20; i++) expect(await post(free)).toMatchObject({ kind: 'accepted', seq: i });
    expect(performance.now() - begun).toBeLessThan(bounds.intake.busyMaxMs);
    expect(await stalled).toMatchObject({ kind: 'overloaded' });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(bounds.intake.busyMaxMs);
    const waiting = post(locked);
    await operator.query('COMMIT');
    expect(await waiting).toMatchObject({ kind: 'accepted', seq: 1 });
  });

  it('a row that can never be stored is refused alone', async () => {
    const id = await conversation();
    const outcomes = await Promise.all([
      post(id),
      post(id),
      post(id, randomUUID(), 'a\u0000b'),
      post(id),
      post('no uuid'),
      post(id),
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual([
      'accepted',
      'accepted',
      'internal',
      'accepted',
      'internal',
      'accepted',
    ]);
  });
});

describe('intake before a PostgreSQL that hangs', () => {
  it('answers everybody in bounded time, and loses and doubles nothing', async () => {
    const postgres = await ownPostgres();
    await begin(postgres.url);
    const id = await conversation();
    const messages = Array.from({ length: 50 }, () => randomUUID());
    expect(await post(id)).toMatchObject({ kind: 'accepted', seq: 1 });
    await postgres.kill('SIGSTOP');
    const begun = performance.now();
    const outcomes = await Promise.all(messages.map((message) => post(id, message)));
    expect(outcomes.every(({ kind }) => kind === 'unavailable')).toBe(true);
    const { answerMaxMs, sweepEveryMs } = bounds.intake;
    expect(performance.now() - begun).toBeLessThan(answerMaxMs + 5 * sweepEveryMs);
    await postgres.kill('SIGCONT');

    const pending = new Set(messages);
    const seqs = new Set<number>();
    while (pending.size > 0) {
      const again = await Promise.all(
        [...pending].map(async (message) => ({ message, outcome: await post(id, message) })),
      );
      for (const { message, outcome } of again) {
        if (outcome.kind !== 'accepted' && outcome.kind !== 'duplicate') continue;
        pending.delete(message);
        seqs.add(outcome.seq);
      }
    }
    expect([...seqs].sort((a, b) => a - b)).toEqual(messages.map((_, i) => i + 2));
  });
});
