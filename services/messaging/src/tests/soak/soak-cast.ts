import { Agent } from 'node:http';
import { HttpClient } from '../support/http-client.ts';
import type { PodProcess } from '../support/pod.ts';
import { mintToken } from '../support/tokens.ts';
import { type DeviceHooks, SoakDevice } from './soak-device.ts';
import type { SoakLedger } from './soak-ledger.ts';
import { MEMBERS, type SoakOptions, TOKEN_LIFETIME_MS } from './soak-options.ts';

const HTTP_SOCKETS_MAX = 64;

/** One conversation of the run. */
export interface SoakConversation {
  readonly id: string;
  /** The owner first. They stay. */
  readonly members: readonly string[];
  /** Comes and goes. */
  readonly guest: string;
  guestIsMember: boolean;
  /** Has come at least once: the log has a row of it. */
  guestWasMember: boolean;
  /** A change of the guest's membership is under way. */
  changing: boolean;
  /** When the guest's membership last changed, on the monotonic clock. */
  guestSince: number;
  readonly since: number;
  /** Posts under way. */
  posting: number;
}

/** Who plays: users with their devices, and the conversations they have now. */
export class SoakCast {
  readonly devices: SoakDevice[] = [];
  readonly conversations: SoakConversation[] = [];
  readonly userIds: readonly string[];
  /** Of counters and memberships: one for each conversation, and for each user that was ever in it. */
  rowsMade = 0;
  readonly #pods: readonly PodProcess[];
  readonly #ledger: SoakLedger;
  readonly #agents: readonly Agent[];
  readonly #https: readonly HttpClient[];
  readonly #tokens = new Map<string, { token: string; until: number }>();

  constructor(pods: readonly PodProcess[], options: SoakOptions, hooks: DeviceHooks) {
    this.#pods = pods;
    this.#ledger = hooks.ledger;
    this.#agents = pods.map(() => new Agent({ keepAlive: true, maxSockets: HTTP_SOCKETS_MAX }));
    this.#https = pods.map((pod, n) => new HttpClient(pod.httpUrl, undefined, this.#agents[n]));
    this.userIds = Array.from({ length: options.users }, (_, n) => `user-${n}`);
    // Every third user has a second device.
    for (const [n, userId] of this.userIds.entries()) {
      for (const name of n % 3 === 0 ? [`${userId}-a`, `${userId}-b`] : [`${userId}-a`])
        this.devices.push(new SoakDevice({ userId, name, hooks }));
    }
  }

  /** Connections of the run's own to the pods: what else the pods hold open must not grow. */
  get openSockets(): number {
    let count = this.devices.filter((device) => device.isConnected).length;
    for (const { sockets, freeSockets } of this.#agents) {
      for (const each of [...Object.values(sockets), ...Object.values(freeSockets)])
        count += each?.length ?? 0;
    }
    return count;
  }

  /** Conversations that a user is surely in, for longer than `ms`. */
  *conversationsOf(userId: string, ms: number): Iterable<SoakConversation> {
    const before = performance.now() - ms;
    for (const conversation of this.conversations) {
      const { members, guest, guestIsMember, changing, guestSince, since } = conversation;
      const isMember = members.includes(userId) && since < before;
      const isGuest = guest === userId && guestIsMember && !changing && guestSince < before;
      if (isMember || isGuest) yield conversation;
    }
  }

  connect(device: SoakDevice): Promise<void> {
    const pod = this.#pods[Math.floor(Math.random() * this.#pods.length)]!;
    return this.freshToken(device.userId).then((token) => device.connect(pod.wsUrl, token));
  }

  /** The API as that user, through some pod. */
  async http(userId: string): Promise<HttpClient> {
    const kept = this.#tokens.get(userId);
    const now = performance.now();
    let token = kept?.token;
    if (kept === undefined || kept.until < now) {
      token = await this.freshToken(userId);
      this.#tokens.set(userId, { token, until: now + TOKEN_LIFETIME_MS / 2 });
    }
    return this.#https[Math.floor(Math.random() * this.#https.length)]!.as(token!);
  }

  freshToken(userId: string): Promise<string> {
    return mintToken({ sub: userId, exp: Math.floor((Date.now() + TOKEN_LIFETIME_MS) / 1000) });
  }

  /** Makes a conversation of users drawn by its number; undefined where the service refused. */
  async create(id: string, n: number): Promise<SoakConversation | undefined> {
    const users = Array.from(
      { length: MEMBERS + 1 },
      (_, m) => this.userIds[(n * 7 + m * 13) % this.userIds.length]!,
    );
    const [guest = '', ...members] = users;
    const answer = await (await this.http(members[0]!)).createConversation(members, id);
    if (answer.status !== 201) return undefined;
    const now = performance.now();
    const conversation: SoakConversation = {
      id,
      members,
      guest,
      guestIsMember: false,
      guestWasMember: false,
      changing: false,
      guestSince: now,
      since: now,
      posting: 0,
    };
    this.#ledger.open(id);
    this.conversations.push(conversation);
    this.rowsMade += 1 + new Set(members).size;
    return conversation;
  }

  /** The guest of a conversation has come, or gone. */
  guestMoved(conversation: SoakConversation): void {
    conversation.guestIsMember = !conversation.guestIsMember;
    conversation.guestSince = performance.now();
    if (conversation.guestWasMember) return;
    conversation.guestWasMember = true;
    this.rowsMade += 1;
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.leave({ politely: true }).catch(() => undefined)));
    for (const http of this.#https) http.close();
  }
}
