import type { HistoryEventOf } from './history.ts';
import type { Message } from './model.ts';
import type { Panel } from './panel.ts';
import type { Run } from './run.ts';

/** What publishers, the log and sights of messages do to the run. */
export class MessageFollower {
  readonly #run: Run;
  readonly #panel: Panel;

  constructor(run: Run, panel: Panel) {
    this.#run = run;
    this.#panel = panel;
  }

  post(event: HistoryEventOf<'post'>): void {
    const conversation = this.#run.conversation(event.conversationId);
    const message = this.#run.message(conversation, event.messageId);
    for (const hook of this.#panel.on.post) hook(event, message);
    const { at, hash, sender } = event;
    this.#run.posts.set(event.post, { message, hash, at, sender });
    conversation.lastPostAt = event.at;
    message.attempts += 1;
    if (message.hash === undefined) {
      message.hash = event.hash;
      message.firstPostedAt = event.at;
      message.taken = conversation.known;
    } else if (message.hash !== event.hash) {
      (message.otherHashes ??= new Set()).add(event.hash);
    }
  }

  ok(event: HistoryEventOf<'post_ok'>): void {
    const { message, hash } = this.#run.post(event);
    for (const hook of this.#panel.on.post_ok) hook(event, message);
    const { conversation } = message;
    conversation.lastPostAt = event.at;
    const epoch = event.epoch ?? 0;
    const last = message.answers?.at(-1);
    // A repeat of what still stands; where it differs, `idempotency` says so.
    if (last === undefined || last.seq > this.#run.epochs.survivors(conversation.id, last.epoch, epoch)) {
      (message.answers ??= []).push({ epoch, seq: event.seq ?? 0, hash });
    }
    if (event.seq !== undefined) this.#take(message, epoch, event.seq);
  }

  fail(event: HistoryEventOf<'post_fail'>): void {
    const { message } = this.#run.post(event);
    for (const hook of this.#panel.on.post_fail) hook(event, message);
    message.refused += 1;
    message.refusedWith = event.code;
  }

  unknown(event: HistoryEventOf<'post_unknown'>): void {
    this.#run.post(event).message.conversation.lastPostAt = event.at;
  }

  commit(event: HistoryEventOf<'commit'>): void {
    const message = this.#run.message(this.#run.conversation(event.conversationId), event.messageId);
    this.claim(message, event.epoch, event.seq, event.at);
    message.committedAt ??= event.at;
    message.conversation.lastPostAt = event.at;
  }

  /** A frame, a page's item or an entry brought a message. */
  see(message: Message, event: { at: number; epoch: number; seq: number; hash: string }, by: string): void {
    const { at, epoch, seq, hash } = event;
    for (const hook of this.#panel.on.sight) hook({ at, message, hash, seq, by });
    if (message.seenAt === undefined) {
      message.seenAt = at;
      message.seenHash = hash;
    }
    if (message.epoch !== epoch || message.seq !== seq) this.claim(message, epoch, seq, at);
  }

  /** A message was met at a place: the first to be met there keeps it. */
  claim(message: Message, epoch: number, seq: number, at: number | undefined): void {
    const { conversation } = message;
    const places = this.#run.epochs.placesOf(conversation, epoch);
    const holder = places[seq];
    const before = this.#run.epochs.placeOf(message, epoch);
    for (const hook of this.#panel.on.claim) hook({ at, conversation, epoch, seq, message, holder, before });
    if (holder === undefined) places[seq] = message;
    if (message.epoch < epoch) {
      message.epoch = epoch;
      message.seq = seq;
    }
    this.#take(message, epoch, seq);
  }

  #take({ conversation }: Message, epoch: number, seq: number): void {
    const { known } = conversation;
    if (epoch > known.epoch || (epoch === known.epoch && seq > known.seq))
      conversation.known = { epoch, seq };
  }
}
