import type { HistoryEvent, HistoryEventOf } from './history.ts';
import { ClientFollower } from './follow-clients.ts';
import { MemberFollower } from './follow-members.ts';
import { MessageFollower } from './follow-messages.ts';
import type { FinalState } from './final-state.ts';
import type { Panel } from './panel.ts';
import type { Run } from './run.ts';

/** Reads a history event by event: asks the judges first, then lets the event change the run. */
export class Follower {
  readonly #run: Run;
  readonly #panel: Panel;
  readonly #messages: MessageFollower;
  readonly #clients: ClientFollower;
  readonly #members: MemberFollower;

  constructor(run: Run, panel: Panel) {
    this.#run = run;
    this.#panel = panel;
    this.#messages = new MessageFollower(run, panel);
    this.#clients = new ClientFollower(run, panel, this.#messages);
    this.#members = new MemberFollower(run);
  }

  /** @throws Error where the history contradicts itself: a frame without a connection, an answer without a call */
  follow(event: HistoryEvent): void {
    this.#run.events += 1;
    switch (event.type) {
      case 'message':
        return this.#clients.message(event);
      case 'ack':
        return this.#clients.ack(event);
      case 'post':
        return this.#messages.post(event);
      case 'post_ok':
        return this.#messages.ok(event);
      case 'post_fail':
        return this.#messages.fail(event);
      case 'post_unknown':
        return this.#messages.unknown(event);
      case 'commit':
        return this.#messages.commit(event);
      case 'gap':
        return this.#clients.gap(event);
      case 'connect':
        this.#run.open(event);
        return;
      case 'hello':
        return this.#clients.hello(event);
      case 'ready':
        return this.#clients.ready(event);
      case 'subscribe':
        return this.#clients.subscribe(event);
      case 'unsubscribe':
        return this.#clients.unsubscribe(event);
      case 'subscribed':
        return this.#clients.subscribed(event);
      case 'member':
        return this.#clients.member(event);
      case 'reset':
        return this.#clients.reset(event);
      case 'close':
        return this.#clients.close(event);
      case 'read':
        return this.#read(event);
      case 'entry':
        return this.#entry(event);
      case 'membership':
        return this.#members.change(event);
      case 'operation':
        return this.#operation(event);
      case 'fault':
        return this.#fault(event);
      case 'observe':
        this.#run.observedSince ??= event.at;
        return;
      case 'begin':
        this.#run.seesCommits ||= event.seesCommits === true;
        this.#run.seesExpiry ||= event.seesExpiry === true;
        return;
      case 'end':
        this.#run.endedAt = event.at;
        return;
      case 'caught_up':
      case 'wall':
        return;
    }
  }

  /** What the log holds in the end is met too, then every judge says its last. */
  finish(final: FinalState): void {
    for (const { conversationId, rows } of final.conversations.values()) {
      const conversation = this.#run.conversation(conversationId);
      for (const { seq, messageId } of rows.values()) {
        const message = this.#run.message(conversation, messageId);
        if (message.epoch !== final.epoch || message.seq !== seq) {
          this.#messages.claim(message, final.epoch, seq, undefined);
        }
      }
    }
    for (const hook of this.#panel.on.finish) hook(final, this.#run.endedAt !== undefined);
  }

  #read(event: HistoryEventOf<'read'>): void {
    const message = this.#run.message(this.#run.conversation(event.conversationId), event.messageId);
    for (const hook of this.#panel.on.read) hook(event, message);
    this.#messages.see(message, event, `a page of ${event.userId}`);
  }

  #entry(event: HistoryEventOf<'entry'>): void {
    const message = this.#run.message(this.#run.conversation(event.conversationId), event.messageId);
    for (const hook of this.#panel.on.entry) hook(event, message);
    this.#messages.see(message, event, 'the stream');
  }

  #operation(event: HistoryEventOf<'operation'>): void {
    const { operation, kind, phase, at } = event;
    if (phase === 'invoke') {
      this.#run.operations.set(operation, { kind, invokedAt: at, places: event.places, failed: false });
    }
    const known = this.#run.operations.get(operation);
    if (known === undefined) throw new Error(`the history has no operation ${operation}`);
    known.places ??= event.places;
    known.failed = phase === 'fail';
    for (const hook of this.#panel.on.operation) hook(event);
    if (phase !== 'ok') return;
    for (const [conversationId] of known.places ?? []) this.#run.conversation(conversationId).lastPostAt = at;
    if (kind !== 'epoch' || event.epoch === undefined) return;
    this.#run.epochs.raise(event.epoch, event.heads && new Map(event.heads));
    if (event.heads !== undefined) this.#members.restored(this.#run.conversations.values());
  }

  #fault({ phase, name, pod, at }: HistoryEventOf<'fault'>): void {
    const label = pod === undefined ? name : `${name} of ${pod}`;
    if (phase === 'begin') this.#run.faults.push({ name: label, from: at, to: Infinity });
    else {
      const open = this.#run.faults.find((fault) => fault.name === label && fault.to === Infinity);
      if (open === undefined) throw new Error(`the history ends fault ${label}, which had not begun`);
      open.to = at;
    }
  }
}
