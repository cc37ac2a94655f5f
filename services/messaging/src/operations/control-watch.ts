import { CONTROLLED_STAGES, type ControlledStage } from '@sanctum/protocol/admin';
import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import { Latch } from '../latch.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RevocationRow, Revocations } from './revocations.ts';

/** A lost hint costs no more than this; with the question itself a pause is everywhere within a second. */
const LOOK_EVERY_MS = 500;

/** A row of messaging.control; `paused` is false once it has expired, by the database's clock. */
export interface ControlState {
  readonly stage: ControlledStage;
  readonly paused: boolean;
  /** Milliseconds since the epoch. */
  readonly changedAt: number | null;
  /** When a pause ends by itself; null: not by itself, or there is none. */
  readonly expiresAt: number | null;
}

export interface OperatorState {
  readonly controls: readonly ControlState[];
  /** Those above the version asked for, ascending; not more than some thousands at a time. */
  readonly revocations: readonly RevocationRow[];
  /** The version of the latest of all; 0: there is none. */
  readonly newest: number;
}

export interface OperatorStateLog {
  readState(afterVersion: number): Promise<OperatorState>;
}

/** What a control switches. A stage that this pod does not have needs no switch. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/**
 * Follows what operators have decided: which stages are paused, which logins revoked. Postgres is the truth and is
 * looked at twice a second, so that nothing depends on Redis; a word on the bus only makes it sooner. While Postgres
 * cannot be asked, what was decided last goes on.
 */
export class ControlWatch {
  readonly #log: OperatorStateLog;
  readonly #clock: Clock;
  readonly #logger: Log;
  readonly #metrics: Pick<Metrics, 'controlPaused' | 'controlPausedSince' | 'controlExpires'>;
  readonly #revocations: Revocations;
  readonly #switches: Partial<Record<ControlledStage, Pausable>>;
  readonly #onRevoked: () => void;
  readonly #now = new Latch();
  readonly #paused = new Set<ControlledStage>();
  #asking: Promise<unknown> = Promise.resolve();
  #next: Promise<boolean> | undefined;
  #failing = false;

  constructor(options: {
    log: OperatorStateLog;
    clock: Clock;
    logger: Log;
    metrics: Pick<Metrics, 'controlPaused' | 'controlPausedSince' | 'controlExpires'>;
    revocations: Revocations;
    switches: Partial<Record<ControlledStage, Pausable>>;
    /** There are revocations that were not known before. */
    onRevoked: () => void;
  }) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#metrics = options.metrics;
    this.#revocations = options.revocations;
    this.#switches = options.switches;
    this.#onRevoked = options.onRevoked;
  }

  /** What is paused on this pod now. */
  get paused(): ControlledStage[] {
    return CONTROLLED_STAGES.filter((stage) => this.#paused.has(stage));
  }

  /** Something has changed. */
  hint(): void {
    this.#now.say();
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#now.say(), { once: true });
    while (!signal.aborted) {
      await this.look();
      await this.#now.wait(this.#clock, LOOK_EVERY_MS);
    }
  }

  /**
   * Asks, and does what was decided; false: there was no answer. One question at a time: an answer that was long on
   * its way must not undo what a later one said. Whoever comes meanwhile shares the next question.
   */
  look(): Promise<boolean> {
    this.#next ??= this.#asking.then(() => {
      this.#next = undefined;
      const asking = this.#ask();
      this.#asking = asking;
      return asking;
    });
    return this.#next;
  }

  async #ask(): Promise<boolean> {
    try {
      for (;;) {
        const { controls, revocations, newest } = await this.#log.readState(this.#revocations.version);
        for (const control of controls) this.#follow(control);
        if (newest < this.#revocations.version) {
          this.#revocations.startOver();
          continue;
        }
        if (!this.#revocations.learn(revocations)) break;
        this.#onRevoked();
      }
      this.#failing = false;
      return true;
    } catch (error) {
      if (!this.#failing) this.#logger.warn('controls_unknown', { reason: reasonOf(error) });
      this.#failing = true;
      return false;
    }
  }

  #follow({ stage, paused, changedAt, expiresAt }: ControlState): void {
    this.#metrics.controlPaused.set({ stage }, paused ? 1 : 0);
    this.#metrics.controlPausedSince.set({ stage }, paused ? (changedAt ?? 0) / 1000 : 0);
    this.#metrics.controlExpires.set({ stage }, paused ? (expiresAt ?? 0) / 1000 : 0);
    if (paused === this.#paused.has(stage)) return;
    if (paused) {
      this.#paused.add(stage);
      this.#switches[stage]?.pause();
    } else {
      this.#paused.delete(stage);
      this.#switches[stage]?.resume();
    }
    this.#logger.info(paused ? 'control_paused' : 'control_resumed', { stage });
  }
}
