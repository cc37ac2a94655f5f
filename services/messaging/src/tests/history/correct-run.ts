import type { CursorEntry } from '@sanctum/protocol';
import { CorrectDevice } from './correct-device.ts';
import { Story } from './story.ts';

/** One step of a run: what to do, and two numbers to choose with. */
export interface Action {
  readonly kind: (typeof ACTION_KINDS)[number];
  readonly a: number;
  readonly b: number;
}

export const ACTION_KINDS = [
  'post',
  'post',
  'post_dead',
  'overtake',
  'repeat',
  'unanswered',
  'deliver',
  'deliver',
  'reconnect',
  'open',
  'join',
  'leave',
  'replay',
  'expire',
  'restore',
] as const;

const USERS = ['ann', 'bob', 'cid', 'dan'];
/** Of every message of a story. */
const SENDER = 'ann';
const CONVERSATIONS = ['c1', 'c2', 'c3'];

/** A server that keeps every promise, small enough to be seen through: what it brings about must be found clean. */
export class CorrectRun {
  readonly story = new Story();
  readonly #devices: CorrectDevice[] = [];
  #ids = 0;

  constructor(actions: readonly Action[]) {
    for (const [n, id] of CONVERSATIONS.entries()) this.story.create(id, USERS.slice(0, 2 + n));
    for (const userId of USERS) this.#open(userId);
    for (const action of actions) this.#do(action);
    for (const device of this.#devices) for (const id of CONVERSATIONS) device.deliver(id, Infinity);
    // Long enough for every replay to be due.
    this.story.now += 60;
    this.story.end();
  }

  #do({ kind, a, b }: Action): void {
    const conversationId = CONVERSATIONS[a % CONVERSATIONS.length]!;
    const device = this.#devices[b % this.#devices.length]!;
    const log = this.story.log.get(conversationId)!;
    const userId = USERS[b % USERS.length]!;
    const isPresent = log.members.has(userId) && log.members.get(userId)!.leftSeq === undefined;
    switch (kind) {
      case 'post':
        return void this.story.post(conversationId, this.#id());
      case 'post_dead':
        return void this.story.post(conversationId, this.#id(), { status: 'dead' });
      case 'overtake':
        return this.#overtake(conversationId);
      case 'repeat':
        return this.#repeat(conversationId, b);
      case 'unanswered':
        this.story.begin(conversationId, this.#id());
        return;
      case 'deliver':
        return device.deliver(conversationId, 1 + (a % 4));
      case 'reconnect':
        return this.#reconnect(device, 1006);
      case 'open':
        return this.#open(userId);
      case 'join':
        return isPresent ? undefined : this.#join(conversationId, userId);
      case 'leave':
        return isPresent && userId !== SENDER ? this.#leave(conversationId, userId) : undefined;
      case 'replay':
        return this.#replay(conversationId, b);
      case 'expire':
        log.floor = Math.max(log.floor, b % (log.lastSeq + 1));
        for (const seq of log.rows.keys()) if (seq <= log.floor) log.rows.delete(seq);
        return;
      case 'restore':
        return this.#restore(b);
    }
  }

  #overtake(conversationId: string): void {
    const [first, second] = [this.#id(), this.#id()];
    const posts = [this.story.begin(conversationId, first), this.story.begin(conversationId, second)];
    for (const [n, id] of [second, first].entries()) {
      const seq = this.story.append(conversationId, id);
      this.story.add({ type: 'post_ok', post: posts[1 - n]!, seq, epoch: this.story.epoch });
    }
  }

  #repeat(conversationId: string, n: number): void {
    const rows = [...this.story.log.get(conversationId)!.rows.values()];
    const row = rows[n % rows.length];
    if (row === undefined) return;
    const post = this.story.begin(conversationId, row.messageId);
    this.story.add({ type: 'post_ok', post, seq: row.seq, epoch: this.story.epoch, repeat: true });
  }

  #open(userId: string): void {
    const device = new CorrectDevice(this.story, userId);
    this.#devices.push(device);
    device.connect(this.#id());
  }

  #reconnect(device: CorrectDevice, code: number): void {
    this.story.close(device.connection, code);
    device.connect(this.#id());
  }

  #join(conversationId: string, userId: string): void {
    const joinedSeq = this.story.join(conversationId, userId);
    for (const device of this.#devicesOf(userId)) {
      this.story.tell(device.connection, conversationId, 'added', joinedSeq);
      device.received();
      device.cursors.set(conversationId, Math.max(joinedSeq - 1, device.cursors.get(conversationId) ?? 0));
    }
  }

  #leave(conversationId: string, userId: string): void {
    this.story.leave(conversationId, userId);
    for (const device of this.#devicesOf(userId)) {
      this.story.tell(
        device.connection,
        conversationId,
        'removed',
        this.story.log.get(conversationId)!.lastSeq,
      );
      device.received();
      device.cursors.delete(conversationId);
    }
  }

  #replay(conversationId: string, n: number): void {
    const { story } = this;
    const { rows, floor, lastSeq, members } = story.log.get(conversationId)!;
    const seq = floor + 1 + (n % Math.max(1, lastSeq - floor));
    const row = rows.get(seq);
    if (row === undefined) return;
    story.resend(row.status === 'dead' ? 'requeue' : 'replay', conversationId, seq, seq);
    for (const device of this.#devices) {
      if ((device.cursors.get(conversationId) ?? 0) < seq || members.get(device.userId)!.joinedSeq > seq)
        continue;
      story.deliver(device.connection, conversationId, [seq], { replay: 1, effect: 'drop' });
      device.received();
    }
  }

  #restore(n: number): void {
    for (const { connection } of this.#devices) this.story.close(connection, 1012);
    const heads = [...this.story.log.values()].map(({ conversationId, lastSeq, floor }): CursorEntry => [
      conversationId,
      Math.max(floor, lastSeq - (n % 4)),
    ]);
    // What the log says of members is set back with it; here nobody had changed since.
    for (const [id, head] of heads) {
      const { members } = this.story.log.get(id)!;
      for (const [userId, { joinedSeq, leftSeq }] of members) {
        if (joinedSeq > head + 1) members.set(userId, { joinedSeq: head + 1, leftSeq: leftSeq && head });
      }
    }
    this.story.restore(heads);
    for (const device of this.#devices) device.connect(this.#id());
  }

  #devicesOf(userId: string): CorrectDevice[] {
    return this.#devices.filter((device) => device.userId === userId);
  }

  #id(): string {
    this.#ids += 1;
    return `m-${this.#ids}`;
  }
}
