import { randomUUID } from 'node:crypto';
import type { HelloFrame } from '@sanctum/protocol';
import type { PostedMessage } from '@sanctum/protocol/schemas';
import type pg from 'pg';
import type { Log } from '../../../../log.ts';
import type { BusMessage, BusPublisher } from '../../../../ports.ts';
import { expectStatus, HttpClient, type MessageToPost } from '../../../support/http-client.ts';
import { startPod, type Pod } from '../../../support/pod.ts';
import { scrape } from '../../../support/scrape.ts';
import { freshDatabase, freshRedis } from '../../../support/servers.ts';
import { TestClient } from '../../../support/test-client.ts';
import type { TestClientOptions } from '../../../support/test-client-options.ts';
import { openPool } from '../../../support/test-database.ts';
import { mintToken, type TestClaims } from '../../../support/tokens.ts';
import { LeapingClock, turn } from './leaping-clock.ts';
import { RawSocket } from './raw-socket.ts';
import { ReaderProbe } from './reader-probe.ts';

const STEP_MS = 250;

/** A pod in this process, with what a test can do to it. */
export interface PodAtHand extends Pod {
  readonly clock: LeapingClock;
  readonly reads: ReaderProbe;
  /** Whether a message of this pod's on the bus gets lost. */
  loses: (message: BusMessage) => boolean;
}

export interface PodSettings {
  readonly env?: Readonly<Record<string, string>>;
  readonly log?: Log;
}

type ClientOptions = Partial<TestClientOptions> & {
  readonly on?: PodAtHand;
  readonly claims?: Partial<TestClaims>;
};

/** One installation: a database, a Redis, a pod or more, and the users who talk over it. */
export class RealtimeWorld {
  readonly postgresUrl: string;
  readonly redisUrl: string;
  readonly sql: pg.Pool;
  readonly pods: PodAtHand[] = [];
  readonly #sockets: { terminate(): void }[] = [];
  readonly #https = new Map<string, HttpClient>();
  #users = 0;

  private constructor(urls: { postgresUrl: string; redisUrl: string }) {
    this.postgresUrl = urls.postgresUrl;
    this.redisUrl = urls.redisUrl;
    this.sql = openPool(urls.postgresUrl, 2);
  }

  /** With `redisUrl` that Redis, otherwise one of its own. */
  static async start({
    redisUrl,
    ...settings
  }: PodSettings & { redisUrl?: string } = {}): Promise<RealtimeWorld> {
    const world = new RealtimeWorld({
      postgresUrl: await freshDatabase(),
      redisUrl: redisUrl ?? (await freshRedis()),
    });
    await world.startPod(settings);
    return world;
  }

  /** Another pod of this installation. */
  async startPod({ env = {}, log }: PodSettings = {}): Promise<PodAtHand> {
    const clock = new LeapingClock();
    const reads = new ReaderProbe();
    const losing: Pick<PodAtHand, 'loses'> = { loses: () => false };
    const publisher = (bus: BusPublisher): BusPublisher => ({
      publish: (messages) => bus.publish(messages.filter((message) => !losing.loses(message))),
    });
    const { postgresUrl, redisUrl } = this;
    const overrides = { clock, reader: reads.wrap, publisher };
    const pod = await startPod({ postgresUrl, redisUrl, env, overrides, ...(log && { log }) });
    const atHand = Object.assign(losing, pod, { clock, reads });
    this.pods.push(atHand);
    return atHand;
  }

  get pod(): PodAtHand {
    return this.pods[0]!;
  }

  /** Cuts every connection. */
  hangUp(): void {
    for (const socket of this.#sockets.splice(0)) socket.terminate();
  }

  async end(): Promise<void> {
    this.hangUp();
    for (const http of this.#https.values()) http.close();
    await Promise.all(this.pods.map((pod) => pod.stop()));
    await this.sql.end();
  }

  // ── Users ──

  /** A name that nobody has yet. */
  user(name = 'user'): string {
    return `${name}-${++this.#users}`;
  }

  async http(userId: string, options: { on?: PodAtHand; scope?: string } = {}): Promise<HttpClient> {
    const { on = this.pod, scope = '' } = options;
    const key = `${on.httpUrl} ${userId} ${scope}`;
    let http = this.#https.get(key);
    if (http === undefined) {
      http = new HttpClient(on.httpUrl, await mintToken({ sub: userId, scope }));
      this.#https.set(key, http);
    }
    return http;
  }

  /** A conversation of these users, the first of whom owns it. */
  async conversation(...members: string[]): Promise<string> {
    const http = await this.http(members[0]!);
    return expectStatus(await http.createConversation(members), 201).conversation_id;
  }

  async post(
    conversationId: string,
    userId: string,
    message: MessageToPost & { on?: PodAtHand } = {},
  ): Promise<PostedMessage> {
    const http = await this.http(userId, message.on ? { on: message.on } : {});
    return expectStatus(await http.postMessage(conversationId, message), 201);
  }

  /** `count` messages, one after another. */
  async postMany(conversationId: string, userId: string, count: number): Promise<PostedMessage[]> {
    const posted: PostedMessage[] = [];
    for (let n = 0; n < count; n++) posted.push(await this.post(conversationId, userId));
    return posted;
  }

  async addMember(conversationId: string, owner: string, userId: string, on = this.pod): Promise<number> {
    return expectStatus(await (await this.http(owner, { on })).putMember(conversationId, userId), 200)
      .joined_seq;
  }

  async removeMember(conversationId: string, actor: string, userId: string, on = this.pod): Promise<void> {
    expectStatus(await (await this.http(actor, { on })).deleteMember(conversationId, userId), 204);
  }

  // ── Connections ──

  /** Connects and waits for `ready`. */
  async connect(
    userId: string,
    { on = this.pod, claims, ...options }: ClientOptions = {},
  ): Promise<TestClient> {
    const token = options.token ?? (await mintToken({ sub: userId, ...claims }));
    const client = await TestClient.connect({ url: on.wsUrl, ...options, token });
    this.#sockets.push(client);
    return client;
  }

  /** The same, and waits for `caught_up`. */
  async connectCaughtUp(userId: string, options: ClientOptions = {}): Promise<TestClient> {
    const client = await this.connect(userId, options);
    await client.until(() => client.received.caughtUpCount === 1);
    return client;
  }

  /** A socket that was upgraded and has said nothing. */
  async open(
    options: {
      userId?: string;
      token?: string;
      headers?: Record<string, string>;
      url?: string;
      on?: PodAtHand;
    } = {},
  ): Promise<RawSocket> {
    const { userId, on = this.pod, url = on.wsUrl, headers = {} } = options;
    const token = options.token ?? (userId === undefined ? undefined : await mintToken({ sub: userId }));
    const socket = await RawSocket.open(url, { token, headers });
    this.#sockets.push(socket);
    return socket;
  }

  /** The same after `hello` and `ready`. */
  async openReady(
    userId: string,
    hello: Partial<HelloFrame> & Record<string, unknown> = {},
  ): Promise<RawSocket> {
    const socket = await this.open({ userId });
    socket.send({ type: 'hello', ...hello });
    await socket.frame('caught_up');
    return socket;
  }

  /** Waits until everything that a pod had to do by now for this client has come. */
  async settled(client: TestClient, on = this.pod): Promise<void> {
    await on.reads.idle();
    await client.ping();
  }

  /** Lets `withinMs` of the pod's time pass, in steps, until `isDone`; fails where it is not. */
  async leapUntil(client: TestClient, isDone: () => boolean, withinMs: number, on = this.pod): Promise<void> {
    for (let leaptMs = 0; !isDone(); leaptMs += STEP_MS) {
      if (leaptMs > withinMs)
        throw new Error(`not within ${withinMs} ms of the pod's time: ${client.received.summary()}`);
      await on.clock.leap(STEP_MS);
      await this.settled(client, on);
      await turn();
    }
  }

  async metric(name: string, on = this.pod): Promise<number | undefined> {
    return (await scrape(on.httpUrl)).get(name);
  }

  // ── By SQL, as an operator ──

  /** The runbook's five columns, `count` times. */
  async insertRows(
    conversationId: string,
    count = 1,
    payload: unknown = { ciphertext: 'AAAA' },
  ): Promise<string[]> {
    const { rows } = await this.sql.query<{ message_id: string }>(
      `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
       SELECT gen_random_uuid(), gen_random_uuid(), 'MessageCreated', $1, $2::jsonb FROM generate_series(1, $3)
       RETURNING message_id`,
      [conversationId, JSON.stringify(payload), count],
    );
    return rows.map((row) => row.message_id);
  }

  /** Inserts a row and sets it, in one transaction: nobody sees it otherwise. */
  async insertRowAs(conversationId: string, set: string): Promise<string> {
    const messageId = randomUUID();
    const client = await this.sql.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
         VALUES (gen_random_uuid(), $1, 'MessageCreated', $2, '{"ciphertext":"AAAA"}')`,
        [messageId, conversationId],
      );
      await client.query(`UPDATE messaging.message_outbox SET ${set} WHERE message_id = $1`, [messageId]);
      await client.query('COMMIT');
    } finally {
      client.release();
    }
    return messageId;
  }
}
