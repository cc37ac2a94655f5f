import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Log } from '../../log.ts';
import type { Overrides } from '../../server.ts';
import { eventually } from './eventually.ts';
import { expectStatus, HttpClient } from './http-client.ts';
import { type Pod, spawnPod, startPod } from './pod.ts';
import { freshDatabase, freshRedis } from './servers.ts';
import { TestClient } from './test-client.ts';
import type { TestClientOptions } from './test-client-options.ts';
import { mintToken } from './tokens.ts';

export const STREAM = 'sanctum:messages';
const GROUP = 'messaging-hub';

/** The tokens of a scene outlive every skip of its clock. */
const TOKEN_LIFETIME_S = 7 * 24 * 3600;

export interface PodSettings {
  readonly env?: Readonly<Record<string, string>>;
  readonly overrides?: Overrides;
  readonly log?: Log;
}

/** One installation and whoever talks to it: pods over one database and one Redis, clients, an operator's hands. */
export class Scene {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** A test's own hands in Redis. */
  readonly redis: Redis;
  readonly #sql: pg.Client;
  readonly #pods: Pod[] = [];
  readonly #clients: TestClient[] = [];
  readonly #http: HttpClient[] = [];
  readonly #others: pg.Client[] = [];

  private constructor(urls: { databaseUrl: string; redisUrl: string }, sql: pg.Client) {
    this.databaseUrl = urls.databaseUrl;
    this.redisUrl = urls.redisUrl;
    this.redis = new Redis(urls.redisUrl);
    this.redis.on('error', () => undefined);
    this.#sql = sql;
    sql.on('error', () => undefined);
  }

  /** On fresh servers, or on given ones. */
  static async begin(given: { databaseUrl?: string; redisUrl?: string } = {}): Promise<Scene> {
    const databaseUrl = given.databaseUrl ?? (await freshDatabase());
    const redisUrl = given.redisUrl ?? (await freshRedis());
    const sql = new pg.Client({ connectionString: databaseUrl });
    await sql.connect();
    return new Scene({ databaseUrl, redisUrl }, sql);
  }

  /** A pod in this process. */
  async pod(settings: PodSettings = {}): Promise<Pod> {
    const pod = await startPod({ postgresUrl: this.databaseUrl, redisUrl: this.redisUrl, ...settings });
    this.#pods.push(pod);
    return pod;
  }

  /** A pod as a process of its own. */
  async podProcess(env: Readonly<Record<string, string>> = {}) {
    const pod = await spawnPod({ postgresUrl: this.databaseUrl, redisUrl: this.redisUrl, env });
    this.#pods.push(pod);
    return pod;
  }

  /** The HTTP API as a user. */
  async http(pod: Pod, userId: string, scope?: string): Promise<HttpClient> {
    const client = new HttpClient(pod.httpUrl, await token(userId, scope));
    this.#http.push(client);
    return client;
  }

  /** A connected client. */
  async connect(
    pod: Pod,
    userId: string,
    options: Partial<TestClientOptions> & { scope?: string } = {},
  ): Promise<TestClient> {
    const { scope, ...rest } = options;
    const client = await TestClient.connect({ url: pod.wsUrl, token: await token(userId, scope), ...rest });
    this.#clients.push(client);
    return client;
  }

  /** A conversation of these users, the first one its owner; returns its id. */
  async conversation(
    pod: Pod,
    members: readonly [owner: string, ...others: string[]],
    conversationId?: string,
  ): Promise<string> {
    const owner = await this.http(pod, members[0]);
    return expectStatus(await owner.createConversation(members, conversationId), 201).conversation_id;
  }

  /** Posts messages one after another; returns their places. */
  async post(pod: Pod, userId: string, conversationId: string, count = 1): Promise<number[]> {
    const sender = await this.http(pod, userId);
    const seqs: number[] = [];
    for (let i = 0; i < count; i++)
      seqs.push(expectStatus(await sender.postMessage(conversationId), 201).seq);
    return seqs;
  }

  /** The runbook's INSERT of five columns; returns the row's message_id. */
  async insert(conversationId: string, payload: unknown = { ciphertext: 'dGVzdA==' }): Promise<string> {
    const messageId = randomUUID();
    await this.sql(
      `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
       VALUES (gen_random_uuid(), $1, 'MessageCreated', $2, $3)`,
      [messageId, conversationId, JSON.stringify(payload)],
    );
    return messageId;
  }

  async sql<R extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
  ): Promise<R[]> {
    return (await this.#sql.query<R>(text, values)).rows;
  }

  /** A connection of its own, for transactions that stay open. */
  async sqlConnection(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.databaseUrl });
    client.on('error', () => undefined);
    await client.connect();
    this.#others.push(client);
    return client;
  }

  /** Waits until the dispatcher has sent all that there is. */
  async allSent(): Promise<void> {
    await eventually(async () => {
      const left = await this.sql("SELECT 1 FROM messaging.message_outbox WHERE status <> 'sent' LIMIT 1");
      if (left.length > 0) throw new Error('there are rows that have not been sent');
    });
  }

  /** The runbook's manual replay of a conversation. Rows that have not been sent are sent once, as without it. */
  async replay(conversationId: string): Promise<void> {
    await this.sql(
      `UPDATE messaging.message_outbox SET status = 'pending', attempts = 0, dispatched_at = NULL
       WHERE aggregate_id = $1 AND occurred_at > NOW() - INTERVAL '1 hour'`,
      [conversationId],
    );
  }

  /** What stands on the stream of a conversation, in its order; of all without one. */
  async onStream(conversationId?: string): Promise<Record<string, string>[]> {
    const entries = await this.redis.xrange(STREAM, '-', '+');
    const all = entries.map(([, flat]) => {
      const fields: Record<string, string> = {};
      for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i] as string] = flat[i + 1] as string;
      return fields;
    });
    return all.filter(
      (fields) => conversationId === undefined || fields['conversation_id'] === conversationId,
    );
  }

  /** Entries that the group has not acknowledged. */
  async unacknowledged(): Promise<number> {
    const [count] = (await this.redis.xpending(STREAM, GROUP)) as [number];
    return count;
  }

  /** Ends all of it: clients first, so that draining pods wait for nobody. */
  async end(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.terminate();
    for (const client of this.#http.splice(0)) client.close();
    await Promise.all(this.#others.splice(0).map((client) => client.end().catch(() => undefined)));
    await Promise.all(this.#pods.splice(0).map((pod) => pod.stop()));
    await this.#sql.end().catch(() => undefined);
    this.redis.disconnect();
  }
}

/** A sample of `/metrics`, such as `messaging_hub_repeats_total`; of all its labels together. */
export async function metricOf(pod: Pod, name: string): Promise<number> {
  const text = await (await fetch(`${pod.httpUrl}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    const [, found, value] = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    if (found === name) sum += Number(value);
  }
  return sum;
}

function token(userId: string, scope: string | undefined): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + TOKEN_LIFETIME_S;
  return mintToken({ sub: userId, exp, ...(scope === undefined ? {} : { scope }) });
}
