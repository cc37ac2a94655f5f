import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { Agent } from 'node:http';
import { CallRecorder } from '../history/call-recorder.ts';
import type { History } from '../history/history.ts';
import { HttpClient } from '../support/http-client.ts';
import { mintToken } from '../support/tokens.ts';
import { LatencyWatch } from './latency-watch.ts';
import { MemberDevice } from './member-device.ts';
import { Publisher } from './publisher.ts';

export interface LoadPlan {
  readonly conversations: number;
  /** Of each conversation; nobody is in two. */
  readonly members: number;
  readonly devicesPerMember: number;
  /** Spread over the conversations. */
  readonly publishers: number;
  /** From one message of a publisher to the next. */
  readonly paceMs: number;
}

/** 50 messages a second, 300 deliveries, on 60 connections. */
const DEFAULT_LOAD: LoadPlan = {
  conversations: 10,
  members: 3,
  devicesPerMember: 2,
  publishers: 20,
  paceMs: 400,
};

const ANSWER_TIMEOUT_MS = 7000;
const WATCH_EVERY_MS = 250;
/** So many devices begin to connect at once. */
const CONNECTING_AT_ONCE = 100;
const CONNECTING_PAUSE_MS = 100;

interface Member {
  readonly userId: string;
  readonly token: string;
}

export interface LoadedConversation {
  readonly id: string;
  readonly members: readonly Member[];
}

/** Where the load goes. */
export interface LoadTarget {
  readonly name: string;
  readonly httpUrl: string;
  readonly wsUrl: string;
}

/** Members with their devices on all pods, and publishers that never rest. */
export class ChaosLoad {
  readonly plan: LoadPlan;
  readonly watch = new LatencyWatch();
  readonly conversations: LoadedConversation[] = [];
  readonly devices: MemberDevice[] = [];
  readonly publishers: Publisher[] = [];
  /** What the servers did that no fault excuses. */
  readonly complaints: string[] = [];
  readonly #pods: readonly LoadTarget[];
  readonly #https: readonly { readonly pod: string; readonly http: HttpClient }[];
  readonly #calls: CallRecorder;
  readonly #history: History;
  readonly #heartbeatMs: number;
  readonly #stop = new AbortController();
  #watching: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(
    pods: readonly LoadTarget[],
    options: Partial<LoadPlan> & { readonly heartbeatMs: number; readonly history: History },
  ) {
    const { heartbeatMs, history, ...plan } = options;
    this.plan = { ...DEFAULT_LOAD, ...plan };
    this.#pods = pods;
    this.#history = history;
    this.#heartbeatMs = heartbeatMs;
    this.#calls = new CallRecorder(history, 'chaos');
    setMaxListeners(0, this.#stop.signal);
    this.#https = pods.map(({ name, httpUrl }) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 256, timeout: ANSWER_TIMEOUT_MS });
      return { pod: name, http: new HttpClient(httpUrl, undefined, agent) };
    });
  }

  /** Makes the conversations and has all devices connect. */
  async populate(): Promise<void> {
    for (let c = 0; c < this.plan.conversations; c++) await this.#addConversation(c);
    this.#watching = setInterval(() => {
      for (const device of this.devices) device.watch();
    }, WATCH_EVERY_MS);
    for (const [n, device] of this.devices.entries()) {
      device.connect();
      if (n % CONNECTING_AT_ONCE === CONNECTING_AT_ONCE - 1)
        await new Promise((resolve) => setTimeout(resolve, CONNECTING_PAUSE_MS));
    }
  }

  /** Lets everybody write. */
  start(): void {
    const { publishers, paceMs } = this.plan;
    for (let p = 0; p < publishers; p++) {
      this.publishers.push(this.publisher({ conversation: p % this.conversations.length, nth: p, paceMs }));
    }
    this.#running = Promise.all(this.publishers.map((publisher) => publisher.run(this.#stop.signal)));
  }

  /** Somebody more, who has not begun to write. */
  publisher(of: {
    readonly conversation: number;
    readonly nth?: number;
    readonly paceMs?: number;
  }): Publisher {
    const { conversation, nth = 0, paceMs = this.plan.paceMs } = of;
    const { id, members } = this.conversations[conversation]!;
    const { userId, token } = members[nth % members.length]!;
    return new Publisher({
      conversationId: id,
      readers: members.length * this.plan.devicesPerMember,
      sender: userId,
      token,
      https: this.#https,
      firstPod: nth,
      paceMs,
      calls: this.#calls,
      watch: this.watch,
      onComplaint: (text) => this.complaints.push(text),
    });
  }

  /** Nobody writes any more, and everybody has their answer. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  get accepted(): number {
    return this.publishers.reduce((sum, { accepted }) => sum + accepted, 0);
  }

  get retries(): number {
    return this.publishers.reduce((sum, { retries }) => sum + retries, 0);
  }

  get reconnects(): number {
    return this.devices.reduce((sum, { reconnects }) => sum + Math.max(0, reconnects), 0);
  }

  async close(): Promise<void> {
    clearInterval(this.#watching);
    for (const device of this.devices) device.close();
    await this.stop();
    for (const { http } of this.#https) http.close();
  }

  async #addConversation(c: number): Promise<void> {
    const members = await Promise.all(
      Array.from({ length: this.plan.members }, async (_, m) => {
        const userId = `user-${c}-${m}`;
        return { userId, token: await mintToken({ sub: userId }) };
      }),
    );
    const id = randomUUID();
    const { http } = this.#https[c % this.#https.length]!;
    const owner = members[0]!;
    const userIds = members.map(({ userId }) => userId);
    const answer = await this.#calls.createConversation(http.as(owner.token), owner.userId, userIds, id);
    if (answer.status !== 201) throw new Error(`creating a conversation: ${answer.text}`);
    this.conversations.push({ id, members });
    for (const [m, { userId, token }] of members.entries()) {
      for (let d = 0; d < this.plan.devicesPerMember; d++) {
        this.devices.push(
          new MemberDevice({
            name: `${userId}-${d}`,
            userId,
            token,
            conversationId: id,
            pods: this.#pods,
            firstPod: c + m + d,
            heartbeatMs: this.#heartbeatMs,
            history: this.#history,
            onMessage: (messageId, at) => this.watch.arrived(messageId, at),
            onComplaint: (text) => this.complaints.push(text),
          }),
        );
      }
    }
  }
}
