import type { Clock } from '../clock.ts';

/** How long Postgres may take to answer the question of a probe. */
const POSTGRES_PATIENCE_MS = 1000;

export interface Readiness {
  readonly ready: boolean;
  /** What does not work and costs latency only. */
  readonly degraded: readonly string[];
  /** Why the pod is not ready. */
  readonly reasons: readonly string[];
}

export interface ReadinessInputs {
  readonly started: boolean;
  readonly draining: boolean;
  readonly redisUp: boolean;
  /** Loops of this pod that make no progress while Redis answers. */
  readonly stuck: readonly string[];
  /** The last synthetic message did not come back by the fast path. */
  readonly pathBroken: boolean;
}

/**
 * Whether **this pod** can do its part. Redis down is `degraded`, not unready: else one blip would take every pod,
 * and intake with them, out of service.
 */
export class ReadinessCheck {
  readonly #pingPostgres: () => Promise<unknown>;
  readonly #inputs: () => ReadinessInputs;
  readonly #clock: Clock;
  #asking: Promise<boolean> | undefined;

  constructor(options: {
    pingPostgres: () => Promise<unknown>;
    inputs: () => ReadinessInputs;
    clock: Clock;
  }) {
    this.#pingPostgres = options.pingPostgres;
    this.#inputs = options.inputs;
    this.#clock = options.clock;
  }

  async check(): Promise<Readiness> {
    const postgresUp = await this.#postgresAnswers();
    const { started, draining, redisUp, stuck, pathBroken } = this.#inputs();
    const reasons = [
      ...(started ? [] : ['starting']),
      ...(draining ? ['draining'] : []),
      ...(postgresUp ? [] : ['postgres_unreachable']),
      ...(redisUp ? stuck.map((loop) => `${loop}_stuck`) : []),
    ];
    const degraded = [...(redisUp ? [] : ['redis_unreachable']), ...(pathBroken ? ['path_broken'] : [])];
    return { ready: reasons.length === 0, degraded, reasons };
  }

  /** One question at a time, however many ask. */
  #postgresAnswers(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  #ask(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(POSTGRES_PATIENCE_MS, () => resolve(false));
      this.#pingPostgres()
        .then(
          () => resolve(true),
          () => resolve(false),
        )
        .finally(() => timer.cancel());
    });
  }
}
