import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import type { TestClient } from '../../support/test-client.ts';
import { RealtimeWorld } from './support/realtime-world.ts';

/** Conversations that were active lately are compared with the log within this, … */
const RECENT_CHECK_MS = 2000;
/** … and all of them within this. */
const ROUND_MS = 30_000;
const MISSING = 'messaging_hub_missing_total';

const log = new RecordedLog();
let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start({ env: { PAYLOAD_MAX_BYTES: '1024' }, log });
});
afterAll(() => world.end());

const gap = (conversationId: string, from: number, to: number, reason: string) => ({
  type: 'gap',
  conversation_id: conversationId,
  from,
  to,
  reason,
});

/** A conversation with one message, and a reader that has it. */
async function scene(): Promise<{ userId: string; conversationId: string; client: TestClient }> {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  const client = await world.connectCaughtUp(userId);
  await world.post(conversationId, userId);
  await client.untilMessages(conversationId, 1);
  return { userId, conversationId, client };
}

/** What a client that begins at the start is told. */
async function fromStart(userId: string): Promise<TestClient['received']> {
  return (await world.connectCaughtUp(userId, { withoutCursor: 'start' })).received;
}

describe('a dead row', () => {
  it('is announced when the next message comes', async () => {
    const { userId, conversationId, client } = await scene();
    await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.post(conversationId, userId);
    await client.untilMessages(conversationId, 2);
    expect(client.received.gaps).toEqual([gap(conversationId, 2, 2, 'dead_letter')]);
    expect(client.received.seqs(conversationId)).toEqual([1, 3]);
    expect((await fromStart(userId)).gaps).toEqual(client.received.gaps);
  });

  it('is announced although nothing comes behind it', async () => {
    const { conversationId, client } = await scene();
    await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.leapUntil(client, () => client.received.gaps.length === 1, RECENT_CHECK_MS);
    expect(client.received.gaps).toEqual([gap(conversationId, 2, 2, 'dead_letter')]);
  });

  it('is announced in a conversation that was never active, too', async () => {
    const userId = world.user();
    const conversationId = await world.conversation(userId);
    const client = await world.connectCaughtUp(userId);
    await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.leapUntil(client, () => client.received.gaps.length === 1, ROUND_MS);
    expect(client.received.gaps).toEqual([gap(conversationId, 1, 1, 'dead_letter')]);
  });

  it('and its neighbours are one gap, that costs one of credit', async () => {
    const { userId, conversationId } = await scene();
    for (let n = 0; n < 3; n++) await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.post(conversationId, userId);
    const client = await world.connect(userId, { withoutCursor: 'start', credit: 2, autoAck: false });
    await client.until(() => client.received.gaps.length === 1);
    await world.settled(client);
    expect(client.received.frames.slice(2).map(({ type }) => type)).toEqual(['message', 'gap', 'pong']);
    expect(client.received.gaps).toEqual([gap(conversationId, 2, 4, 'dead_letter')]);
    client.ack(2);
    await client.untilMessages(conversationId, 2);
  });
});

it('a row too large for a frame is a dead letter, whatever its status', async () => {
  const { userId, conversationId, client } = await scene();
  await world.insertRows(conversationId, 1, { ciphertext: 'A'.repeat(5000) });
  await world.post(conversationId, userId);
  await client.untilMessages(conversationId, 2);
  expect(client.received.gaps).toEqual([gap(conversationId, 2, 2, 'dead_letter')]);
  await eventually(async () => {
    const { rows } = await world.sql.query(
      'SELECT status, last_error FROM messaging.message_outbox WHERE aggregate_id = $1 AND seq = 2',
      [conversationId],
    );
    expect(rows).toEqual([{ status: 'dead', last_error: 'too_large' }]);
  });
  expect((await fromStart(userId)).gaps).toEqual(client.received.gaps);
});

describe('a row that failed and is being retried', () => {
  const RETRYING = `attempts = 1, next_attempt_at = now() + interval '1 hour'`;

  async function waitingAtRow(): Promise<{
    userId: string;
    conversationId: string;
    clients: TestClient[];
    messageId: string;
  }> {
    const { userId, conversationId, client } = await scene();
    const messageId = await world.insertRowAs(conversationId, RETRYING);
    await world.post(conversationId, userId);
    const late = await world.connect(userId, { withoutCursor: 'start' });
    await late.untilMessages(conversationId, 1);
    const clients = [client, late];
    // Long enough for every check and every second look.
    for (let n = 0; n < 8; n++) {
      await world.pod.clock.leap(500);
      for (const one of clients) await world.settled(one);
    }
    for (const { received } of clients) {
      expect(received.seqs(conversationId)).toEqual([1]);
      expect(received.gaps).toEqual([]);
    }
    expect(late.received.caughtUpCount).toBe(0);
    return { userId, conversationId, clients, messageId };
  }

  it('is served to nobody, nor is anything behind it, until it is sent', async () => {
    const { conversationId, clients, messageId } = await waitingAtRow();
    await world.sql.query(
      'UPDATE messaging.message_outbox SET attempts = 0, next_attempt_at = NULL WHERE message_id = $1',
      [messageId],
    );
    for (const client of clients) {
      await client.untilMessages(conversationId, 3);
      expect(client.received.seqs(conversationId)).toEqual([1, 2, 3]);
      expect(client.received.caughtUpCount).toBe(1);
    }
  });

  it('or dead', async () => {
    const { conversationId, clients, messageId } = await waitingAtRow();
    await world.sql.query(`UPDATE messaging.message_outbox SET status = 'dead' WHERE message_id = $1`, [
      messageId,
    ]);
    for (const client of clients) {
      await world.leapUntil(client, () => client.received.seqs(conversationId).length === 2, RECENT_CHECK_MS);
      expect(client.received.seqs(conversationId)).toEqual([1, 3]);
      expect(client.received.gaps).toEqual([gap(conversationId, 2, 2, 'dead_letter')]);
      await client.until(() => client.received.caughtUpCount === 1);
    }
  });

  it('is found sent although the bus brought nothing', async () => {
    const { conversationId, clients } = await waitingAtRow();
    await world.sql.query(
      `UPDATE messaging.message_outbox SET status = 'sent', dispatched_at = now() WHERE aggregate_id = $1`,
      [conversationId],
    );
    for (const client of clients) {
      await world.leapUntil(client, () => client.received.seqs(conversationId).length === 3, RECENT_CHECK_MS);
    }
  });
});

describe('a row that the log does not hold', () => {
  it('is looked for twice, counted, and announced as missing', async () => {
    const { userId, conversationId, client } = await scene();
    const before = (await world.metric(MISSING)) ?? 0;
    const messageId = await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.sql.query('DELETE FROM messaging.message_outbox WHERE message_id = $1', [messageId]);
    await world.post(conversationId, userId);
    await client.untilMessages(conversationId, 2);
    expect(client.received.gaps).toEqual([gap(conversationId, 2, 2, 'missing')]);
    expect(client.received.seqs(conversationId)).toEqual([1, 3]);
    expect(await world.metric(MISSING)).toBe(before + 1);
    expect(log.named('log_rows_missing')).toHaveLength(1);
    const looks = world.pod.reads.calls.filter(
      ({ method, args }) =>
        method === 'readPages' && JSON.stringify(args).includes(`"${conversationId}","after":1`),
    );
    expect(looks).toHaveLength(2);
  });

  it('at the end of the log, too', async () => {
    const { conversationId, client } = await scene();
    const before = (await world.metric(MISSING)) ?? 0;
    const messageId = await world.insertRowAs(conversationId, `status = 'dead'`);
    await world.sql.query('DELETE FROM messaging.message_outbox WHERE message_id = $1', [messageId]);
    await world.leapUntil(client, () => client.received.gaps.length === 1, RECENT_CHECK_MS);
    expect(client.received.gaps).toEqual([gap(conversationId, 2, 2, 'missing')]);
    expect(await world.metric(MISSING)).toBe(before + 1);
  });

  it('in one look alone is no reason to say so', async () => {
    const userId = world.user();
    const conversationId = await world.conversation(userId);
    await world.insertRows(conversationId, 3);
    const before = (await world.metric(MISSING)) ?? 0;
    let looks = 0;
    const restore = world.pod.reads.change('readPages', (pages, [requests]) =>
      pages.map((page, index) => {
        const asked = (requests as { conversationId: string; after: number }[])[index]!;
        if (page === undefined || asked.conversationId !== conversationId || asked.after !== 0 || ++looks > 1)
          return page;
        return { ...page, rows: page.rows.filter(({ seq }) => seq !== 1) };
      }),
    );
    const received = await fromStart(userId);
    restore();
    expect(looks).toBe(2);
    expect(received.gaps).toEqual([]);
    expect(received.seqs(conversationId)).toEqual([1, 2, 3]);
    expect(await world.metric(MISSING)).toBe(before);
  });
});
