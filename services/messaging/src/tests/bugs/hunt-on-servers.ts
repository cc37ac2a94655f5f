import { PAYLOAD_MAX_BYTES_DEFAULT, tooLargeAbove } from '@sanctum/protocol';
import { Redis } from 'ioredis';
import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { CallRecorder } from '../history/call-recorder.ts';
import { checkHistory, type Violation } from '../history/check-history.ts';
import { StampedHistory } from '../history/history-writer.ts';
import type { History, HistoryEvent } from '../history/history.ts';
import { readFinalState } from '../history/read-final-state.ts';
import { streamEntry } from '../history/stream-entry.ts';
import { eventually } from '../support/eventually.ts';
import { HttpClient } from '../support/http-client.ts';
import { type Pod, startPod } from '../support/pod.ts';
import { TestClient } from '../support/test-client.ts';
import { mintToken } from '../support/tokens.ts';
import type { ServersBug } from './bug.ts';
import { type Caught, type Findings, verdictOn } from './caught.ts';
import { delayed } from './server-bugs.ts';

export interface Servers {
  /** A migrated database of the run's own. */
  readonly postgresUrl: string;
  readonly redisUrl: string;
}

const STREAM = 'sanctum:messages';
const GROUP = 'second';
const MESSAGES = 80;
const IN_FLIGHT = 16;
/** Every so-manieth is posted once more. */
const REPEATED_EVERY = 4;

/** One real run with the bug, one without; `servers` are fresh ones for each. */
export async function huntOnServers(bug: ServersBug, servers: () => Promise<Servers>): Promise<Caught> {
  const startedAt = performance.now();
  const findings = await findingsOf(bug, await servers());
  const seconds = (performance.now() - startedAt) / 1000;
  const control = await findingsOf(undefined, await servers());
  const seen = findings.find(({ check }) => check === bug.caughtBy);
  return verdictOn(bug, { runs: 1, seconds, findings, seen, stray: findings[0], dirty: control[0] });
}

async function findingsOf(bug: ServersBug | undefined, servers: Servers): Promise<Findings> {
  const violations = await play(bug, servers);
  return violations.map(({ check, text }: Violation) => ({ check, text }));
}

/**
 * Two pods without a dispatcher take messages of one conversation, so that all of them wait when the dispatcher
 * comes; a member reads along, and a second group reads the stream.
 */
async function play(bug: ServersBug | undefined, servers: Servers): Promise<readonly Violation[]> {
  const { postgresUrl, redisUrl } = servers;
  const sql = new pg.Client(postgresUrl);
  await sql.connect();
  const redis = new Redis(redisUrl);
  const pods: Pod[] = [];
  const start = async (dispatcher: boolean) => {
    const pod = await startPod({ ...servers, env: { DISPATCHER_ENABLED: String(dispatcher) } });
    pods.push(pod);
    return pod;
  };
  const events: HistoryEvent[] = [];
  const history = new StampedHistory((event) => events.push(event), { process: 'bugs' });
  let device: TestClient | undefined;
  try {
    await rewriteAppend(sql, bug);
    history.append({ type: 'observe' });
    const intakes = [await start(false), await start(false)];
    const conversationId = randomUUID();
    const post = await publisher(intakes, { history, conversationId });
    const as = { connection: 'bob-1', client: 'bob-1', userId: 'bob', process: 'bugs', pod: 'pod-1' };
    device = await TestClient.connect({
      url: intakes[1]!.wsUrl,
      token: await mintToken({ sub: 'bob' }),
      validate: false,
      failOnFault: false,
      record: { history, as },
    });
    await post();
    await start(true);
    await eventually(async () => {
      const { rows } = await sql.query(`SELECT 1 FROM messaging.message_outbox
        WHERE status <> 'sent' AND event_type <> 'SyntheticProbe' LIMIT 1`);
      if (rows.length > 0) throw new Error('not everything is sent');
    });
    await readStream(redis, history);
    const { rows } = await sql.query<{ last: string }>(
      `SELECT max(last_seq) AS last FROM messaging.conversation WHERE conversation_id = $1`,
      [conversationId],
    );
    const last = Number(rows[0]?.last);
    // One that does not get there is the checker's to see.
    await device.until((client) => (client.cursorOf(conversationId) ?? 0) >= last).catch(() => {});
    history.append({ type: 'end' });
    const final = await readFinalState(postgresUrl, tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT));
    return checkHistory(events, final).violations;
  } finally {
    device?.terminate();
    await Promise.all(pods.map((pod) => pod.stop()));
    await sql.end();
    redis.disconnect();
  }
}

async function rewriteAppend(sql: pg.Client, bug: ServersBug | undefined): Promise<void> {
  if (bug?.prepare !== undefined) await sql.query(bug.prepare);
  const { rows } = await sql.query<{ text: string }>(
    `SELECT pg_get_functiondef('messaging.append_messages'::regproc) AS text`,
  );
  const text = delayed(rows[0]!.text);
  await sql.query(bug === undefined ? text : bug.rewrite(text));
}

/** Makes the conversation; what is returned posts all messages, some of them twice. */
async function publisher(
  pods: readonly Pod[],
  { history, conversationId }: { readonly history: History; readonly conversationId: string },
): Promise<() => Promise<void>> {
  const calls = new CallRecorder(history, 'bugs');
  const token = await mintToken({ sub: 'ann' });
  const https = pods.map((pod) => new HttpClient(pod.httpUrl, token));
  await calls.createConversation(https[0]!, 'ann', ['bob'], conversationId);
  const postOne = async (n: number) => {
    const message = { messageId: randomUUID(), ciphertext: randomBytes(24).toString('base64') };
    for (let time = 0; time < (n % REPEATED_EVERY === 0 ? 2 : 1); time++) {
      const pod = (n + time) % pods.length;
      await calls.post(https[pod]!, { pod: `pod-${pod}`, sender: 'ann', conversationId, message });
    }
  };
  return async () => {
    let begun = 0;
    const worker = async () => {
      while (begun < MESSAGES) await postOne(begun++);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    for (const http of https) http.close();
  };
}

/** All that a second group gets, in its order. */
async function readStream(redis: Redis, history: History): Promise<void> {
  await redis.xgroup('CREATE', STREAM, GROUP, '0');
  const answer = (await redis.xreadgroup('GROUP', GROUP, 'one', 'STREAMS', STREAM, '>')) as
    [string, [string, string[]][]][] | null;
  for (const [, flat] of answer?.[0]?.[1] ?? []) {
    const entry = streamEntry(flat);
    if (entry !== undefined) history.append(entry);
  }
}
