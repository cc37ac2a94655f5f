import assert from 'node:assert/strict';
import { bounds } from '../bounds.ts';
import { bucketOf } from '../bucket.ts';
import { type Clock, jittered, type Timer } from '../clock.ts';
import { Fault, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { AppendOutcome, IntakeLog } from '../ports.ts';
import { type Group, Lanes } from './lanes.ts';
import { type IntakeOutcome, type MessageDraft, PendingMessage } from './pending-message.ts';

export type { IntakeOutcome, MessageDraft } from './pending-message.ts';

export interface IntakeDeps {
  readonly intakeLog: IntakeLog;
  readonly clock: Clock;
  readonly log: Log;
  /** Something has been committed in these buckets; called at most every `wakeDelayMs`. */
  readonly onCommitted: (buckets: readonly number[]) => void;
}

/**
 * Where messages are accepted: everything that came while the last group was being committed goes as one group.
 * An answer `accepted` means committed. Whatever happens, each message is answered in bounded time.
 *
 * A conversation whose counter somebody else holds leaves the main lane for the side lane: there each such
 * conversation is waited for by itself, so that an operator's open transaction stalls his conversation only.
 */
export class Intake {
  readonly #deps: IntakeDeps;
  readonly #lanes = new Lanes();
  /** Accepted and not answered, in the order of acceptance. */
  readonly #open = new Set<PendingMessage>();
  #openBytes = 0;
  #groupsInFlight = 0;
  #sideLanesInFlight = 0;
  #isSweeping = false;
  readonly #committedBuckets = new Set<number>();
  #wake: Timer | undefined;
  #isDraining = false;
  #whenIdle: (() => void)[] = [];

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** Takes a validated message; its sender must be allowed to speak as `sender`. Never rejects. */
  post(draft: MessageDraft): Promise<IntakeOutcome> {
    const { queueRowsMax, queueBytesMax } = bounds.intake;
    if (
      this.#isDraining ||
      this.#open.size >= queueRowsMax ||
      this.#openBytes + draft.ciphertext.length > queueBytesMax
    ) {
      return Promise.resolve(this.#overloaded());
    }
    const { clock } = this.#deps;
    const made = { eventId: clock.uuid(), acceptedAt: clock.monotonic() };
    return new Promise((resolve) => {
      const message = new PendingMessage(draft, made, (outcome) => {
        this.#openBytes -= message.bytes;
        this.#open.delete(message);
        resolve(outcome);
        if (this.#open.size === 0) this.#idle();
      });
      this.#openBytes += message.bytes;
      this.#open.add(message);
      this.#lanes.add(message);
      if (!this.#isSweeping) this.#sweepLater();
      this.#pump();
    });
  }

  /** Takes nothing more, and resolves when all that was accepted is answered: `answerMaxMs` from now at the latest. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    this.#wakeNow();
  }

  #pump(): void {
    while (this.#groupsInFlight < bounds.intake.groupsInFlightMax) {
      const group = this.#lanes.takeGroup();
      if (group === undefined) break;
      this.#groupsInFlight++;
      void this.#run(group, false).then(() => {
        this.#groupsInFlight--;
        this.#pump();
      });
    }
    while (this.#sideLanesInFlight < bounds.intake.sideLanesMax) {
      const group = this.#lanes.takeSideGroup();
      if (group === undefined) break;
      this.#sideLanesInFlight++;
      void this.#run(group, true).then(() => {
        this.#sideLanesInFlight--;
        this.#pump();
      });
    }
  }

  async #run(group: Group, waitForLock: boolean): Promise<void> {
    const locked = new Map<string, PendingMessage[]>();
    await this.#append(group.messages, { waitForLock, locked });
    for (const [conversationId, messages] of locked) locked.set(conversationId, this.#withoutLate(messages));
    this.#lanes.release(group, locked);
  }

  /** Answers all of the messages but those that found their conversation locked: these go to `locked`. */
  async #append(
    messages: readonly PendingMessage[],
    options: { readonly waitForLock: boolean; readonly locked: Map<string, PendingMessage[]> },
  ): Promise<void> {
    const { clock, intakeLog, log } = this.#deps;
    const { waitForLock, locked } = options;
    const toTry = messages.filter((message) => {
      // What follows a message that waits for a lock must wait with it, to stay behind it.
      const before = locked.get(message.request.conversationId);
      before?.push(message);
      return before === undefined;
    });
    for (let attempt = 0; ; attempt++) {
      const open = toTry.filter((message) => !message.isAnswered);
      if (open.length === 0) return;
      const result = await intakeLog
        .append(
          open.map((message) => message.request),
          { waitForLock },
        )
        .catch(asFault);
      if (!(result instanceof Fault)) return this.#settle(open, result, locked);
      if (result.code === 'unavailable') return answerAll(open, this.#unavailable());
      if (result.code === 'contention') {
        if (waitForLock) return setAside(open, locked);
        if (attempt >= bounds.intake.contentionRetriesMax) return answerAll(open, this.#overloaded());
        await clock.sleep(jittered(clock, bounds.intake.contentionDelayMs * 2 ** attempt));
        continue;
      }
      if (open.length === 1) {
        log.error('intake_row_refused', {
          event_id: open[0]!.request.eventId,
          reason: reasonOf(result.cause ?? result),
        });
        return answerAll(open, { kind: 'internal' });
      }
      // One of them is at fault; halving finds it, and lets the others through.
      const half = Math.ceil(open.length / 2);
      await this.#append(open.slice(0, half), options);
      return await this.#append(open.slice(half), options);
    }
  }

  #settle(
    messages: readonly PendingMessage[],
    outcomes: readonly AppendOutcome[],
    locked: Map<string, PendingMessage[]>,
  ): void {
    assert.equal(outcomes.length, messages.length, 'an outcome for each request');
    for (const [i, message] of messages.entries()) {
      const outcome = outcomes[i]!;
      if (outcome.kind === 'busy') setAside([message], locked);
      else message.answer(outcome);
      if (outcome.kind === 'accepted') this.#noteCommitted(message.request.conversationId);
    }
  }

  /** Answers, with nothing written, what has waited for its conversation's lock for too long. */
  #withoutLate(messages: readonly PendingMessage[]): PendingMessage[] {
    const since = this.#deps.clock.monotonic() - bounds.intake.busyMaxMs;
    return messages.filter((message) => {
      if (message.acceptedAt <= since) message.answer(this.#overloaded());
      return !message.isAnswered;
    });
  }

  readonly #answerLate = (): void => {
    const since = this.#deps.clock.monotonic() - bounds.intake.answerMaxMs;
    for (const message of this.#open) {
      if (message.acceptedAt > since) break;
      message.answer(this.#unavailable());
      this.#lanes.dropAnswered(message.request.conversationId);
    }
    for (const lane of this.#lanes.sideWaiting) {
      this.#withoutLate(lane.waiting);
      this.#lanes.dropAnswered(lane.conversationId);
    }
    this.#isSweeping = false;
    if (this.#open.size > 0) this.#sweepLater();
  };

  #sweepLater(): void {
    this.#isSweeping = true;
    this.#deps.clock.setTimer(bounds.intake.sweepEveryMs, this.#answerLate);
  }

  #noteCommitted(conversationId: string): void {
    this.#committedBuckets.add(bucketOf(conversationId));
    this.#wake ??= this.#deps.clock.setTimer(bounds.intake.wakeDelayMs, () => this.#wakeNow());
  }

  #wakeNow(): void {
    this.#wake?.cancel();
    this.#wake = undefined;
    if (this.#committedBuckets.size === 0) return;
    const buckets = [...this.#committedBuckets];
    this.#committedBuckets.clear();
    this.#deps.onCommitted(buckets);
  }

  #idle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Spread out, so that those who were refused together do not come back together. */
  #overloaded(): IntakeOutcome {
    return {
      kind: 'overloaded',
      retryAfterMs: Math.ceil(jittered(this.#deps.clock, bounds.intake.overloadedRetryAfterMs)),
    };
  }

  #unavailable(): IntakeOutcome {
    return {
      kind: 'unavailable',
      retryAfterMs: Math.ceil(jittered(this.#deps.clock, bounds.intake.unavailableRetryAfterMs)),
    };
  }
}

function answerAll(messages: readonly PendingMessage[], outcome: IntakeOutcome): void {
  for (const message of messages) message.answer(outcome);
}

function setAside(messages: readonly PendingMessage[], locked: Map<string, PendingMessage[]>): void {
  for (const message of messages) {
    const { conversationId } = message.request;
    const before = locked.get(conversationId);
    if (before === undefined) locked.set(conversationId, [message]);
    else before.push(message);
  }
}

function asFault(error: unknown): Fault {
  return error instanceof Fault ? error : new Fault('unexpected', 'the append failed', { cause: error });
}
