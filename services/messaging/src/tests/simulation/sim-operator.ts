import type { MemoryLogSnapshot } from '../../adapters/memory/memory-log.ts';
import { payloadHash } from '../history/payload-hash.ts';
import type { CallPhase, OperationEvent } from '../history/operator-events.ts';
import type { StepOf } from './scenario.ts';
import type { SimWorld } from './sim-world.ts';

/** What an operator does at a prompt, straight on the database. */
export class SimOperator {
  readonly #world: SimWorld;
  #lastEpoch = 1;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  /** A new installation's conversations. */
  createConversations(): void {
    const { history, log, scenario, random } = this.#world;
    for (const { id: conversationId, owner, members } of scenario.conversations) {
      const change = random.uuid();
      const what = { kind: 'create' as const, conversationId, userIds: [owner, ...members], by: owner };
      history.append({ type: 'membership', phase: 'invoke', change, ...what });
      log.conversations
        .createConversation({ conversationId, owner, members })
        .catch((error: unknown) => this.#world.complain('simulation', String(error)));
      history.append({ type: 'membership', phase: 'ok', change });
    }
  }

  act(step: StepOf<'operate'>): void {
    const { log, postgres, scenario } = this.#world;
    if (!postgres.up) return;
    const conversationId = scenario.conversations[step.conversation]!.id;
    const head = log.conversation(conversationId)?.lastSeq ?? 0;
    if (step.what === 'insert') return this.#insert(conversationId);
    if (step.what === 'requeue') return this.#requeue();
    if (head === 0) return;
    const from = 1 + Math.floor(step.from * head);
    const to = Math.min(head, from + step.span - 1);
    const statusIs = (...statuses: string[]) => this.#placesOf(conversationId, from, to, statuses);
    switch (step.what) {
      case 'replay':
        return this.#note('replay', statusIs('sent'), (place) => log.replay(...place));
      case 'mark_dead':
        return this.#note('mark_dead', statusIs('sent', 'pending').slice(0, 1), ([id, seq]) =>
          log.markDead(id, seq),
        );
      case 'prune':
        return this.#prune(conversationId, from);
    }
  }

  backup(): MemoryLogSnapshot {
    return this.#world.log.snapshot();
  }

  /** The log is as it was, under an epoch that nobody has used. */
  restore(snapshot: MemoryLogSnapshot): void {
    const { log, history, random, scenario } = this.#world;
    const operation = random.uuid();
    history.append({ type: 'operation', phase: 'invoke', operation, kind: 'epoch' });
    log.restore(snapshot);
    let epoch = log.raiseEpoch();
    while (epoch <= this.#lastEpoch) epoch = log.raiseEpoch();
    this.#lastEpoch = epoch;
    const heads = scenario.conversations.map(
      ({ id }) => [id, log.conversation(id)!.lastSeq] as [string, number],
    );
    history.append({ type: 'operation', phase: 'ok', operation, kind: 'epoch', epoch, heads });
  }

  #insert(conversationId: string): void {
    const { log, history, random } = this.#world;
    const [post, messageId, eventId] = [random.uuid(), random.uuid(), random.uuid()];
    const payload = { note: 'by hand' };
    const place = { conversationId, messageId };
    history.append({
      type: 'post',
      post,
      process: 'world',
      pod: undefined,
      ...place,
      hash: payloadHash(payload),
      sender: undefined,
    });
    const row = log.insertRow({ ...place, eventId, eventType: 'Note', payload: JSON.stringify(payload) });
    this.#world.noteCommit(conversationId, row.seq, messageId, this.#lastEpoch);
    history.append({ type: 'post_ok', post, seq: row.seq });
  }

  /** What somebody still waits for an answer to is younger than any retention. */
  #prune(conversationId: string, to: number): void {
    const { log, users } = this.#world;
    const isYoung = (seq: number) => users.isUnderWay(log.row(conversationId, seq)?.messageId);
    let last = 0;
    while (last < to && !isYoung(last + 1)) last += 1;
    if (last === 0) return;
    this.#note('prune', [[conversationId, 1, last]], () => log.expireUpTo(conversationId, last));
  }

  /** Every dead letter that there is. */
  #requeue(): void {
    const { log, scenario } = this.#world;
    const places = scenario.conversations.flatMap(({ id }) =>
      this.#placesOf(id, 1, log.conversation(id)!.lastSeq, ['dead']),
    );
    const requeued = new Set<string>();
    this.#note('requeue', places, ([conversationId]) => {
      if (!requeued.has(conversationId)) log.requeueDead(conversationId);
      requeued.add(conversationId);
    });
  }

  #note(
    kind: OperationEvent['kind'],
    places: [string, number, number][],
    act: (place: [string, number, number]) => void,
  ): void {
    if (places.length === 0) return;
    const { history, random } = this.#world;
    const operation = random.uuid();
    // Only named beforehand they are judged: whoever has it all by then must see them again, and soon.
    const isJudged = this.#world.isCalm || (kind !== 'replay' && kind !== 'requeue');
    const note = (phase: CallPhase, named: boolean) =>
      history.append({ type: 'operation', phase, operation, kind, places: named ? places : undefined });
    note('invoke', isJudged);
    for (const place of places) act(place);
    note('ok', true);
  }

  /** Places of rows in a status, each by itself. */
  #placesOf(
    conversationId: string,
    from: number,
    to: number,
    statuses: string[],
  ): [string, number, number][] {
    const places: [string, number, number][] = [];
    for (let seq = from; seq <= to; seq++) {
      const row = this.#world.log.row(conversationId, seq);
      if (row !== undefined && statuses.includes(row.status)) places.push([conversationId, seq, seq]);
    }
    return places;
  }
}
