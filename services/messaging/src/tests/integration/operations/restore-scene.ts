import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { expect, type TestContext } from 'vitest';
import { CallRecorder } from '../../history/call-recorder.ts';
import type { History, HistoryEvent } from '../../history/history.ts';
import { StampedHistory } from '../../history/history-writer.ts';
import { HttpClient } from '../../support/http-client.ts';
import { type Pod, startPod } from '../../support/pod.ts';
import { TestClient } from '../../support/test-client.ts';
import { mintToken } from '../../support/tokens.ts';

const USERS = ['olga', 'mia', 'juri'] as const;
const CATCH_UP_MS = 20_000;

/** A device over its connections. */
interface Device {
  readonly userId: string;
  client: TestClient;
}

/** One pod, three users and their devices, before and after a restore; what all of them do and see is recorded. */
export class RestoreScene {
  readonly events: HistoryEvent[] = [];
  readonly history: History = new StampedHistory((event) => this.events.push(event), { process: 'test' });
  readonly devices: Device[] = [];
  readonly conversations: string[] = [];
  readonly #calls = new CallRecorder(this.history, 'test');
  readonly #redisUrl: string;
  #pod: Pod | undefined;
  #http: HttpClient | undefined;
  #connections = 0;

  /** Ends with the test. */
  constructor(redisUrl: string, { onTestFinished }: TestContext) {
    this.#redisUrl = redisUrl;
    onTestFinished(async () => {
      for (const { client } of this.devices) client.terminate();
      this.#http?.close();
      await this.#pod?.stop();
    });
  }

  async startPod(postgresUrl: string): Promise<void> {
    this.#pod = await startPod({ postgresUrl, redisUrl: this.#redisUrl });
    this.#http = new HttpClient(this.#pod.httpUrl);
  }

  /** Everybody is closed with it. */
  async stopPod(): Promise<void> {
    await this.#pod?.stop();
    this.#http?.close();
    this.#pod = undefined;
    await Promise.all(this.devices.map(({ client }) => client.untilClosed()));
  }

  async createConversation(): Promise<string> {
    const id = randomUUID();
    const answer = await this.#calls.createConversation(await this.#as(USERS[0]), USERS[0], USERS, id);
    expect(answer.status).toBe(201);
    this.conversations.push(id);
    return id;
  }

  /** Everybody connects: anew, or with the cursors of an earlier connection. */
  async connectAll(): Promise<void> {
    for (const userId of USERS) {
      const known = this.devices.find((device) => device.userId === userId);
      const client = await this.#connect(userId, known?.client);
      if (known === undefined) this.devices.push({ userId, client });
      else known.client = client;
    }
  }

  /** Posts to all conversations in turn; returns the last place of each. */
  async post(count: number): Promise<Map<string, number>> {
    const heads = new Map<string, number>();
    for (let n = 0; n < count; n += 1) {
      const sender = USERS[n % USERS.length]!;
      const conversationId = this.conversations[n % this.conversations.length]!;
      const message = { messageId: randomUUID(), ciphertext: Buffer.from(`text ${n}`).toString('base64') };
      const call = { pod: 'pod-1', sender, conversationId, message };
      const { status, body } = await this.#calls.post(await this.#as(sender), call);
      expect(status).toBe(201);
      heads.set(conversationId, body.seq);
    }
    return heads;
  }

  /** Waits until these devices have everything up to there. */
  async settle(heads: ReadonlyMap<string, number>, devices: readonly Device[] = this.devices): Promise<void> {
    for (const { client } of devices) {
      await client.until(
        () => [...heads].every(([id, head]) => (client.cursorOf(id) ?? 0) >= head),
        CATCH_UP_MS,
      );
      client.ack();
    }
  }

  async #connect(userId: string, earlier: TestClient | undefined): Promise<TestClient> {
    this.#connections += 1;
    const as = {
      connection: `connection-${this.#connections}`,
      client: `${userId}-phone`,
      userId,
      process: 'test',
      pod: 'pod-1',
    };
    const client = await TestClient.connect({
      url: this.#pod!.wsUrl,
      token: await mintToken({ sub: userId }),
      withoutCursor: 'start',
      record: { history: this.history, as },
      ...(earlier !== undefined && { cursors: earlier.cursors() }),
    });
    await client.until(
      ({ received }) => received.frames.some(({ type }) => type === 'caught_up'),
      CATCH_UP_MS,
    );
    return client;
  }

  async #as(userId: string): Promise<HttpClient> {
    return this.#http!.as(await mintToken({ sub: userId }));
  }
}

/** The last place of each conversation, as the restored log has it. */
export async function headsIn(url: string): Promise<[string, number][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ id: string; head: number }>(
    'SELECT conversation_id AS id, last_seq::int AS head FROM messaging.conversation',
  );
  await client.end();
  return rows.map(({ id, head }) => [id, head]);
}
