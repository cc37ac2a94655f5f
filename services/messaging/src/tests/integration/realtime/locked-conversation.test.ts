import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { HttpClient } from '../../support/http-client.ts';
import { startPod } from '../../support/pod.ts';
import { freshDatabase, freshRedis } from '../../support/servers.ts';
import { TestClient } from '../../support/test-client.ts';
import { mintToken } from '../../support/tokens.ts';
import { prompt } from '../schema/prompt.ts';

const CHANGES = 20;

test('changes that wait for a locked conversation hold up no hello, resume or history of others', async () => {
  const url = await freshDatabase();
  const pod = await startPod({ postgresUrl: url, redisUrl: await freshRedis() });
  onTestFinished(() => pod.stop());
  const token = await mintToken({ sub: 'mia' });
  const olga = new HttpClient(pod.httpUrl, await mintToken({ sub: 'olga' }));
  onTestFinished(() => olga.close());
  const mia = olga.as(token);
  const locked = (await olga.createConversation([])).body.conversation_id;
  const conversationId = (await mia.createConversation([])).body.conversation_id;
  const { seq, epoch } = (await mia.postMessage(conversationId)).body;

  const [operator, onlooker] = [await prompt(url), await prompt(url)];
  await operator.query('BEGIN');
  await operator.query('SELECT FROM messaging.conversation WHERE conversation_id = $1 FOR UPDATE', [locked]);
  let answered = 0;
  const changes = Array.from({ length: CHANGES }, async (_, n) => {
    const answer = await olga.putMember(locked, `user-${n}`);
    answered += 1;
    return answer;
  });
  await eventually(async () => {
    const { rows } = await onlooker.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(3);
  });
  const reader = await TestClient.connect({
    url: pod.wsUrl,
    token,
    cursors: { epoch, conversations: [{ conversationId, cursor: seq - 1 }] },
  });
  onTestFinished(() => reader.close());
  await reader.until(() => reader.cursorOf(conversationId) === seq);
  expect((await mia.history(conversationId)).body.messages).toHaveLength(1);
  // They wait a second each, three at a time: when most of them are through, others have been waiting.
  expect(answered).toBeLessThan(CHANGES / 2);

  await operator.query('ROLLBACK');
  for (const { status, problem } of await Promise.all(changes)) {
    expect([200, 503]).toContain(status);
    if (status === 503) expect(problem?.retry_after_ms).toBeGreaterThan(0);
  }
  expect((await olga.putMember(locked, 'user-0')).status).toBe(200);
});
