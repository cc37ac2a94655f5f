import { randomBytes, randomUUID } from 'node:crypto';
import { CallRecorder } from '../history/call-recorder.ts';
import type { History } from '../history/history.ts';
import { HttpClient } from './http-client.ts';
import type { PodProcess } from './pod.ts';
import { TestClient } from './test-client.ts';
import { mintToken } from './tokens.ts';

/** One member's connection, which comes back elsewhere when its pod dies. */
export interface Device {
  readonly userId: string;
  readonly conversationId: string;
  readonly token: string;
  /** The same over its connections. */
  readonly name: string;
  pod: number;
  client: TestClient;
  /** The clients of earlier connections: what a device handed on is theirs and the present one's. */
  readonly earlier: TestClient[];
}

/** A message that was accepted. */
export interface Posted {
  readonly conversationId: string;
  readonly messageId: string;
  readonly seq: number;
}

/**
 * Members over several pods, and messages posted to all of them. Every device has to hand on every message of its
 * conversation, from 1 on without a hole.
 */
export class Fleet {
  readonly #pods: readonly PodProcess[];
  readonly #https: HttpClient[];
  readonly devices: Device[] = [];
  readonly posted: Posted[] = [];
  readonly conversations: {
    readonly id: string;
    readonly members: readonly string[];
    readonly tokens: string[];
  }[] = [];
  readonly #dead = new Set<number>();
  readonly #history: History;
  readonly #calls: CallRecorder;
  #connections = 0;

  /** Everything that is posted and received is appended to `history`. */
  constructor(pods: readonly PodProcess[], history: History) {
    this.#pods = pods;
    this.#history = history;
    this.#calls = new CallRecorder(history, 'fleet');
    this.#https = pods.map((pod) => new HttpClient(pod.httpUrl));
  }

  /** `count` conversations of `members` users each, every user with a device on two different pods. */
  async populate(count: number, members: number): Promise<void> {
    for (let c = 0; c < count; c++) {
      const users = Array.from({ length: members }, (_, m) => `user-${c}-${m}`);
      const tokens = await Promise.all(users.map((sub) => mintToken({ sub })));
      const id = randomUUID();
      const http = this.#https[c % this.#pods.length]!.as(tokens[0]!);
      const answer = await this.#calls.createConversation(http, users[0]!, users, id);
      if (answer.status !== 201) throw new Error(`creating a conversation: ${answer.text}`);
      this.conversations.push({ id, members: users, tokens });
    }
    const connecting = this.conversations.flatMap(({ id, members: users, tokens }, c) =>
      users.flatMap((userId, m) =>
        [0, 1].map(async (device) => {
          const pod = (c + m + device) % this.#pods.length;
          const token = tokens[m]!;
          const name = `${userId}-${device}`;
          const client = await this.#connect({ pod, token, name, userId });
          this.devices.push({ userId, conversationId: id, token, name, pod, client, earlier: [] });
        }),
      ),
    );
    await Promise.all(connecting);
  }

  /**
   * Posts `total` messages to all living pods, `inFlight` at a time, `hotShare` of them into the first conversation.
   * A request that a dying pod did not answer is sent again, elsewhere, with the same id. `onProgress` hears of each.
   */
  async post(options: {
    total: number;
    inFlight: number;
    hotShare: number;
    onProgress?: (count: number) => void;
  }): Promise<void> {
    let begun = 0;
    const worker = async () => {
      while (begun < options.total) {
        const n = begun++;
        const isHot = (n * options.hotShare) % 1 < options.hotShare;
        const conversation = this.conversations[isHot ? 0 : n % this.conversations.length]!;
        await this.#postOne(n, conversation);
        options.onProgress?.(this.posted.length);
      }
    };
    await Promise.all(Array.from({ length: options.inFlight }, worker));
  }

  async #postOne(n: number, conversation: Fleet['conversations'][number]): Promise<void> {
    const message = { messageId: randomUUID(), ciphertext: randomBytes(24).toString('base64') };
    const token = conversation.tokens[n % conversation.tokens.length]!;
    const sender = conversation.members[n % conversation.members.length]!;
    for (let attempt = 0; ; attempt++) {
      const pod = (n + attempt) % this.#pods.length;
      if (this.#dead.has(pod)) continue;
      try {
        const http = this.#https[pod]!.as(token);
        const call = { pod: `pod-${pod}`, sender, conversationId: conversation.id, message };
        const answer = await this.#calls.post(http, call);
        if (answer.status === 503) continue;
        if (answer.status !== 201 && answer.status !== 200) throw new Error(`posting: ${answer.text}`);
        this.posted.push({
          conversationId: conversation.id,
          messageId: message.messageId,
          seq: answer.body.seq,
        });
        return;
      } catch (error) {
        // The pod was killed with the request in it: whether it was committed, the next answer says.
        if (!this.#dead.has(pod)) throw error;
      }
    }
  }

  /** `kill -9`; its devices come back on the other pods with their cursors. */
  async kill(index: number): Promise<void> {
    this.#dead.add(index);
    this.#history.append({ type: 'fault', phase: 'begin', name: 'kill', pod: `pod-${index}` });
    await this.#pods[index]!.kill('SIGKILL');
    this.#history.append({ type: 'fault', phase: 'end', name: 'kill', pod: `pod-${index}` });
    const lost = this.devices.filter((device) => device.pod === index);
    await Promise.all(
      lost.map(async (device, n) => {
        await device.client.untilClosed();
        const alive = this.#pods.map((_, pod) => pod).filter((pod) => !this.#dead.has(pod));
        device.earlier.push(device.client);
        device.pod = alive[n % alive.length]!;
        const cursors = device.client.cursors();
        device.client = await this.#connect(device, cursors);
      }),
    );
  }

  /** Waits until every device has everything that was accepted. */
  async settle(timeoutMs: number): Promise<void> {
    const heads = new Map<string, number>();
    for (const { conversationId, seq } of this.posted) {
      heads.set(conversationId, Math.max(heads.get(conversationId) ?? 0, seq));
    }
    await Promise.all(
      this.devices.map(({ client, conversationId }) =>
        client.until(
          () => (client.cursorOf(conversationId) ?? 0) >= (heads.get(conversationId) ?? 0),
          timeoutMs,
        ),
      ),
    );
  }

  /** What is wrong with what each device handed on; [] when nothing is. */
  faults(): string[] {
    const expected = new Map<string, string[]>();
    for (const { conversationId, messageId, seq } of this.posted) {
      const ids = expected.get(conversationId) ?? [];
      if (ids[seq - 1] !== undefined) return [`two messages at ${conversationId} ${seq}`];
      ids[seq - 1] = messageId;
      expected.set(conversationId, ids);
    }
    const faults: string[] = [];
    for (const device of this.devices) {
      const wanted = expected.get(device.conversationId) ?? [];
      const handedOn = [...device.earlier, device.client].flatMap((client) =>
        client.received.handedOn(device.conversationId),
      );
      const name = `${device.userId} on pod ${device.pod}`;
      if (handedOn.length !== wanted.length) faults.push(`${name}: ${handedOn.length} of ${wanted.length}`);
      const wrong = handedOn.findIndex(
        ({ seq, messageId }, index) => seq !== index + 1 || messageId !== wanted[index],
      );
      if (wrong >= 0) faults.push(`${name}: at ${wrong + 1} came seq ${handedOn[wrong]!.seq}`);
      for (const client of [...device.earlier, device.client]) faults.push(...client.received.faults);
    }
    return faults;
  }

  /** Message frames that came on all connections, repeats included. */
  framesReceived(): number {
    return this.devices
      .flatMap((device) => [...device.earlier, device.client])
      .reduce((sum, client) => sum + client.received.messages.length, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map(({ client }) => client.close()));
    for (const http of this.#https) http.close();
  }

  #connect(
    device: Pick<Device, 'pod' | 'token' | 'name' | 'userId'>,
    cursors?: Parameters<typeof TestClient.connect>[0]['cursors'],
  ) {
    const { pod, token, name, userId } = device;
    this.#connections += 1;
    const connection = `connection-${this.#connections}`;
    const as = { connection, client: name, userId, process: 'fleet', pod: `pod-${pod}` };
    return TestClient.connect(
      {
        url: this.#pods[pod]!.wsUrl,
        token,
        validate: false,
        record: { history: this.#history, as },
        ...(cursors === undefined ? {} : { cursors }),
      },
      20_000,
    );
  }
}
