import { tooLargeAbove } from '@sanctum/protocol';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckedHistory } from '../../history/check-history.ts';
import { HistoryWriter } from '../../history/history-writer.ts';
import { payloadHash } from '../../history/payload-hash.ts';
import { readFinalState } from '../../history/read-final-state.ts';
import { programOf } from '../../support/program.ts';
import { freshDatabase } from '../../support/servers.ts';
import { execute } from '../../support/test-database.ts';

const MAIN = 'services/messaging/src/tests/history/main.ts';
const C = randomUUID();
const IDS = [randomUUID(), randomUUID()];
const PAYLOAD = { ciphertext: 'YQ==', sender: 'ann' };

let folder = '';
let postgresUrl = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sanctum-history-'));
  postgresUrl = await freshDatabase();
  const rows = IDS.map(
    (id) => `(gen_random_uuid(), '${id}', 'MessageCreated', '${C}', '${JSON.stringify(PAYLOAD)}')`,
  );
  await execute(
    postgresUrl,
    `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
     VALUES ${rows.join(', ')};
     INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
     VALUES (gen_random_uuid(), gen_random_uuid(), 'SyntheticProbe', gen_random_uuid(), '{}');
     INSERT INTO messaging.conversation_member (conversation_id, user_id, role, joined_seq, left_seq, members_version)
     VALUES ('${C}', 'ann', 'owner', 1, NULL, 1), ('${C}', 'bob', 'member', 1, 1, 2);
     UPDATE messaging.message_outbox SET status = 'dead', attempts = 3 WHERE message_id = '${IDS[1]}'`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A history that names the messages that are in the log, and one more that it claims was accepted. */
function writeHistory(accepted: readonly string[], isEnded = true): string {
  const file = path.join(folder, `${randomUUID()}.ndjson`);
  const history = new HistoryWriter(file, { process: 'test' });
  const hash = payloadHash(PAYLOAD);
  for (const [n, messageId] of accepted.entries()) {
    const post = `p${n}`;
    history.append({
      type: 'post',
      post,
      process: 'test',
      pod: undefined,
      conversationId: C,
      messageId,
      hash,
      sender: 'ann',
    });
    history.append({ type: 'post_ok', post, seq: n + 1, epoch: 1 });
  }
  if (isEnded) history.append({ type: 'end' });
  history.close();
  return file;
}

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const program = await programOf(MAIN);
  return new Promise((resolve) => {
    const env = { ...process.env, POSTGRES_URL: undefined, DATABASE_URL: undefined };
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test('the final state is what the database holds, without the service’s own messages', async () => {
  const { epoch, conversations } = await readFinalState(postgresUrl, tooLargeAbove(65_536));
  expect(epoch).toBe(1);
  expect([...conversations.keys()]).toEqual([C]);
  const { lastSeq, floor, rows, members } = conversations.get(C)!;
  expect({ lastSeq, floor }).toEqual({ lastSeq: 2, floor: 0 });
  expect([...members]).toEqual([
    ['ann', { joinedSeq: 1, leftSeq: undefined }],
    ['bob', { joinedSeq: 1, leftSeq: 1 }],
  ]);
  const common = {
    replayNo: 0,
    hash: payloadHash(PAYLOAD),
    tooLarge: false,
    occurredAt: expect.any(Number) as number,
  };
  expect([...rows.values()]).toEqual([
    { ...common, seq: 1, messageId: IDS[0], status: 'pending', attempts: 0 },
    { ...common, seq: 2, messageId: IDS[1], status: 'dead', attempts: 3 },
  ]);
  const small = await readFinalState(postgresUrl, 10);
  expect(small.conversations.get(C)!.rows.get(1)!.tooLarge).toBe(true);
});

test('exit codes: 0 clean, 1 broken or unfinished, 2 usage', async () => {
  const lost = randomUUID();
  const [help, clean, broken, unfinished, nothing, unknown, unreadable] = await Promise.all([
    run('--help'),
    run(writeHistory(IDS), '--postgres-url', postgresUrl),
    run(writeHistory([...IDS, lost]), '--postgres-url', postgresUrl, '--json'),
    run(writeHistory(IDS, false), '--postgres-url', postgresUrl),
    run(),
    run('--unheard-of'),
    run(path.join(folder, 'none.ndjson'), '--postgres-url', postgresUrl),
  ]);
  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('--postgres-url') as string });
  expect(clean).toMatchObject({ code: 0, stdout: expect.stringContaining('No violation.') as string });
  expect(broken.code).toBe(1);
  const { violations } = JSON.parse(broken.stdout) as CheckedHistory;
  expect(violations).toMatchObject([{ check: 'accepted_lost', conversationId: C }]);
  expect(unfinished).toMatchObject({ code: 1, stdout: expect.stringContaining('has no end') as string });
  for (const wrong of [nothing, unknown, unreadable]) {
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--help') as string });
  }
});
