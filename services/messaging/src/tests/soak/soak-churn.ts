import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SoakCast, SoakConversation } from './soak-cast.ts';
import type { SoakDevice } from './soak-device.ts';
import type { SoakLedger } from './soak-ledger.ts';
import {
  LATE_MS,
  partitionMs,
  RETENTION_PARTITIONS,
  type SoakOptions,
  TOKEN_LIFETIME_MS,
} from './soak-options.ts';

const RECONNECT_EVERY_MS = 1000;
const SHORT_ABSENCE_MAX_MS = 3000;
/** In a squeezed soak every so many-th absence outlasts the retention. */
const LONG_ABSENCE_EVERY = 20;
const MEMBERSHIP_EVERY_MS = 500;
const CREATE_EVERY_MS = 5000;
/** Conversations that were made on the way, before the oldest of them is given up. */
const YOUNG_MAX = 12;

export interface ChurnCounts {
  reconnects: number;
  longAbsences: number;
  renewals: number;
  membershipChanges: number;
  created: number;
  retired: number;
}

/** Everything that lives by time, again and again: connections, tokens, memberships, conversations. */
export class SoakChurn {
  readonly counts: ChurnCounts = {
    reconnects: 0,
    longAbsences: 0,
    renewals: 0,
    membershipChanges: 0,
    created: 0,
    retired: 0,
  };
  readonly #cast: SoakCast;
  readonly #ledger: SoakLedger;
  readonly #options: SoakOptions;
  readonly #lastSeqOf: (conversationId: string) => Promise<number>;
  readonly #away = new Set<SoakDevice>();
  readonly #work = new Set<Promise<void>>();
  readonly #young: SoakConversation[] = [];

  constructor(options: {
    cast: SoakCast;
    ledger: SoakLedger;
    options: SoakOptions;
    /** As the log has it. */
    lastSeqOf: (conversationId: string) => Promise<number>;
  }) {
    this.#cast = options.cast;
    this.#ledger = options.ledger;
    this.#options = options.options;
    this.#lastSeqOf = options.lastSeqOf;
  }

  /** Until `signal`; then everybody who was away comes back. */
  async run(signal: AbortSignal): Promise<void> {
    const { devices } = this.#cast;
    let next = 0;
    await Promise.all([
      this.#every(RECONNECT_EVERY_MS, signal, () => this.#reconnect(signal)),
      this.#every(TOKEN_LIFETIME_MS / 2 / devices.length, signal, () =>
        this.#renew(devices[next++ % devices.length]!),
      ),
      this.#every(MEMBERSHIP_EVERY_MS, signal, () => this.#changeMembership()),
      this.#every(CREATE_EVERY_MS, signal, () => this.#createAndRetire()),
    ]);
    await Promise.all(this.#work);
  }

  /** Begins `act` so often: one that takes long does not hold up the next, and what is late is made up for. */
  async #every(ms: number, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    for (let dueAt = performance.now() + ms; !signal.aborted; dueAt += ms) {
      await sleep(Math.max(0, dueAt - performance.now()), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const work = act()
        .catch((error: unknown) => this.#ledger.violate('connection', String(error)))
        .finally(() => this.#work.delete(work));
      this.#work.add(work);
    }
  }

  async #reconnect(signal: AbortSignal): Promise<void> {
    const device = draw(this.#cast.devices);
    if (this.#away.has(device)) return;
    this.#away.add(device);
    try {
      this.counts.reconnects += 1;
      const isLong = this.#options.squeezed && this.counts.reconnects % LONG_ABSENCE_EVERY === 0;
      if (isLong) this.counts.longAbsences += 1;
      await device.leave({ politely: Math.random() < 0.5 });
      const longMs = (RETENTION_PARTITIONS + 2) * partitionMs(this.#options);
      const awayMs = isLong ? longMs : Math.random() * SHORT_ABSENCE_MAX_MS;
      await sleep(awayMs, undefined, { signal }).catch(() => undefined);
      await this.#cast.connect(device);
    } finally {
      this.#away.delete(device);
    }
  }

  async #renew(device: SoakDevice): Promise<void> {
    if (this.#away.has(device)) return;
    this.counts.renewals += 1;
    await device.renew(await this.#cast.freshToken(device.userId));
  }

  async #changeMembership(): Promise<void> {
    const conversation = draw(this.#cast.conversations);
    if (conversation.changing) return;
    conversation.changing = true;
    try {
      const http = await this.#cast.http(conversation.members[0]!);
      const { id, guest, guestIsMember } = conversation;
      const { status } = guestIsMember ? await http.deleteMember(id, guest) : await http.putMember(id, guest);
      if (status >= 300) throw new Error(`changing a membership: ${status}`);
      this.#cast.guestMoved(conversation);
      this.counts.membershipChanges += 1;
    } finally {
      conversation.changing = false;
    }
  }

  async #createAndRetire(): Promise<void> {
    this.counts.created += 1;
    const made = await this.#cast.create(randomUUID(), Math.floor(Math.random() * 100_000));
    if (made === undefined) throw new Error('creating a conversation was refused');
    this.#young.push(made);
    if (this.#young.length > YOUNG_MAX) await this.#retire(this.#young.shift()!);
  }

  /** Everybody has what was posted; then they leave, so that their number stays the same. */
  async #retire(conversation: SoakConversation): Promise<void> {
    const { conversations } = this.#cast;
    conversations.splice(conversations.indexOf(conversation), 1);
    const giveUpAt = performance.now() + LATE_MS;
    while (conversation.posting > 0 || conversation.changing) {
      if (performance.now() > giveUpAt) throw new Error('a conversation does not come to rest');
      await sleep(50);
    }
    const { id, members, guest, guestIsMember } = conversation;
    this.#ledger.close(id, await this.#lastSeqOf(id));
    const http = await this.#cast.http(members[0]!);
    // The owner last.
    for (const userId of [...(guestIsMember ? [guest] : []), ...members.toReversed()]) {
      const { status } = await http.deleteMember(id, userId);
      if (status >= 300) throw new Error(`leaving a conversation: ${status}`);
    }
    this.counts.retired += 1;
  }
}

function draw<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)]!;
}
