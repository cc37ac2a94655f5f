import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { afterXadd, refusedRows } from '../../support/fault-points.ts';
import { Scene } from '../../support/scene.ts';

/** Longer than the frame that `PAYLOAD_MAX_BYTES` allows for. */
const TOO_LONG = 'A'.repeat(100_000);

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.begin();
});
afterEach(() => scene.end());

test('a replay between XADD and its mark is not lost', async () => {
  let hasReplayed = false;
  const pod = await scene.pod({
    overrides: {
      dispatchLog: afterXadd(async (rows) => {
        const conversationId = rows[0]?.message?.conversationId;
        if (conversationId !== id || hasReplayed) return;
        hasReplayed = true;
        await scene.replay(id);
      }),
    },
  });
  const id: string = randomUUID();
  await scene.conversation(pod, ['alice', 'bob'], id);
  const bob = await scene.connect(pod, 'bob');
  await scene.post(pod, 'alice', id);
  await bob.until(() => bob.received.messagesOf(id).length === 2);
  expect(bob.received.messagesOf(id).map(({ seq, replay }) => [seq, replay])).toEqual([
    [1, 0],
    [1, 1],
  ]);
  await eventually(async () => {
    const rows = await scene.sql(
      'SELECT status, replay_no FROM messaging.message_outbox WHERE aggregate_id = $1',
      [id],
    );
    expect(rows).toEqual([{ status: 'sent', replay_no: 1 }]);
  });
});

test('a row that fits no frame: its readers get a gap, on the socket and by history, and what follows', async () => {
  const pod = await scene.pod();
  const id = await scene.conversation(pod, ['alice', 'bob']);
  const bob = await scene.connect(pod, 'bob');
  await scene.insert(id);
  await scene.insert(id, { ciphertext: TOO_LONG });
  await scene.insert(id);
  await bob.untilMessages(id, 2);
  expect(bob.received.seqs(id)).toEqual([1, 3]);
  expect(bob.received.gaps).toMatchObject([{ from: 2, to: 2, reason: 'dead_letter' }]);
  const page = (await (await scene.http(pod, 'bob')).history(id)).body;
  expect(page.messages.map(({ seq }) => seq)).toEqual([1, 3]);
  expect(page.gaps).toMatchObject([{ from: 2, to: 2, reason: 'dead_letter' }]);
  await eventually(async () => {
    const rows = await scene.sql(
      'SELECT status, attempts, last_error FROM messaging.message_outbox WHERE seq = 2 AND aggregate_id = $1',
      [id],
    );
    expect(rows).toEqual([{ status: 'dead', attempts: 0, last_error: 'too_large' }]);
  });
});

test('a row that is refused for a while holds back what follows it, and nobody else', async () => {
  let isRefused = true;
  const poison = randomUUID();
  const pod = await scene.pod({
    overrides: {
      dispatchLog: refusedRows((row) => isRefused && row.message?.messageId === poison, {
        kind: 'failed',
        error: 'refused',
        parkMs: 100,
      }),
    },
  });
  const id = await scene.conversation(pod, ['alice', 'bob']);
  const elsewhere = await scene.conversation(pod, ['alice', 'bob']);
  const [alice, bob] = [await scene.http(pod, 'alice'), await scene.connect(pod, 'bob')];
  await scene.post(pod, 'alice', id);
  await alice.postMessage(id, { messageId: poison });
  await eventually(async () => {
    const rows = await scene.sql('SELECT attempts FROM messaging.message_outbox WHERE message_id = $1', [
      poison,
    ]);
    expect(rows[0]?.['attempts']).toBeGreaterThanOrEqual(2);
  });
  await scene.post(pod, 'alice', id);
  await scene.post(pod, 'alice', elsewhere);
  await bob.untilMessages(elsewhere, 1);
  await bob.untilMessages(id, 1);
  expect(bob.received.seqs(id)).toEqual([1]);
  expect((await scene.onStream(id)).map(({ seq }) => seq)).toEqual(['1']);
  isRefused = false;
  await bob.untilMessages(id, 3);
  expect(bob.received.seqs(id)).toEqual([1, 2, 3]);
  expect(bob.received.gaps).toEqual([]);
});
