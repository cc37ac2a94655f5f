import type { Clock } from '../clock.ts';
import type { PodFigures, PodTotals } from './pod-figures.ts';

const SECOND = 1000;
/** A pod that was not heard of for so long is gone: it speaks every second. */
const GONE_AFTER_MS = 5 * SECOND;
/** A pod that is gone without a word is remembered for so long. */
const REMEMBER_GONE_MS = 3600 * SECOND;
/** Rates are taken over this: longer than a synthetic message's round, so that an idle fleet is never at 0. */
const WINDOW_MS = 6 * SECOND;
/** Pods that are remembered; beyond it the one heard of least recently goes. */
const PODS_MAX = 1000;

interface Reading {
  /** By this process' monotonic clock. */
  readonly heardAt: number;
  readonly figures: PodFigures;
}

/** A pod as this one knows it. */
export interface KnownPod {
  readonly figures: PodFigures;
  /** Since it was last heard of. */
  readonly silentMs: number;
  readonly isGone: boolean;
}

/** What all pods together did in the last seconds, each figure a second; histograms as counts. */
export type FleetRates = { readonly [F in Exclude<keyof PodTotals, 'lag' | 'endToEnd'>]: number } & {
  readonly lag: readonly number[];
  readonly endToEnd: readonly number[];
};

/**
 * What the pods of the installation say of themselves, this one among them: by the bus, or, where that is down,
 * through the table that each of them writes. Clocks of other hosts are compared with nothing but themselves.
 */
export class Fleet {
  readonly #clock: Clock;
  /** By instance, the latest reading last; those of the window alone. */
  readonly #pods = new Map<string, Reading[]>();
  readonly #left = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `ageMs`: how old they were when they were read. */
  hear(figures: PodFigures, ageMs = 0): void {
    const { instance } = figures;
    if (this.#left.has(instance) || ageMs > REMEMBER_GONE_MS) return;
    const readings = this.#pods.get(instance) ?? [];
    const last = readings.at(-1);
    if (last !== undefined && figures.at <= last.figures.at) return;
    const heardAt = this.#clock.monotonic() - ageMs;
    readings.push({ heardAt, figures });
    // The oldest one kept lies at or before the window's beginning.
    while (readings.length > 2 && readings[1]!.heardAt <= heardAt - WINDOW_MS) readings.shift();
    this.#pods.delete(instance);
    this.#pods.set(instance, readings);
    if (this.#pods.size > PODS_MAX) this.#pods.delete(this.#pods.keys().next().value!);
  }

  /** It ended in good order: nobody is to look for it. */
  leave(instance: string): void {
    this.#pods.delete(instance);
    this.#left.add(instance);
    if (this.#left.size > PODS_MAX) this.#left.delete(this.#left.values().next().value!);
  }

  /** By name. */
  pods(): KnownPod[] {
    const now = this.#clock.monotonic();
    const known: KnownPod[] = [];
    for (const [instance, readings] of this.#pods) {
      const last = readings.at(-1)!;
      const silentMs = now - last.heardAt;
      if (silentMs > REMEMBER_GONE_MS) this.#pods.delete(instance);
      else known.push({ figures: last.figures, silentMs, isGone: silentMs > GONE_AFTER_MS });
    }
    return known.sort((a, b) => (a.figures.name < b.figures.name ? -1 : 1));
  }

  alive(): PodFigures[] {
    return this.pods()
      .filter(({ isGone }) => !isGone)
      .map(({ figures }) => figures);
  }

  rates(): FleetRates {
    const now = this.#clock.monotonic();
    const sums: Record<string, number> = {};
    const lag: number[] = [];
    const endToEnd: number[] = [];
    for (const readings of this.#pods.values()) {
      const [first, last] = [readings[0]!, readings.at(-1)!];
      const seconds = (last.heardAt - first.heardAt) / SECOND;
      if (now - last.heardAt > GONE_AFTER_MS || seconds <= 0) continue;
      const [before, after] = [first.figures.totals, last.figures.totals];
      for (const [name, value] of Object.entries(after)) {
        const earlier = before[name as keyof PodTotals];
        if (typeof value !== 'number' || typeof earlier !== 'number') continue;
        sums[name] = (sums[name] ?? 0) + Math.max(0, value - earlier) / seconds;
      }
      addTo(lag, after.lag, before.lag);
      addTo(endToEnd, after.endToEnd, before.endToEnd);
    }
    return { ...NO_RATES, ...sums, lag, endToEnd };
  }
}

/** Of everything that pods count: nothing. */
export const NO_RATES = {
  accepted: 0,
  intakeErrors: 0,
  dispatched: 0,
  rowsFailed: 0,
  dispatchErrors: 0,
  published: 0,
  consumed: 0,
  consumerErrors: 0,
  malformed: 0,
  slowPath: 0,
  missing: 0,
  frames: 0,
  slowClosed: 0,
};

function addTo(sums: number[], after: readonly number[], before: readonly number[]): void {
  after.forEach((value, i) => {
    sums[i] = (sums[i] ?? 0) + Math.max(0, value - (before[i] ?? 0));
  });
}

/** The quantile of a histogram's counts, in milliseconds; null where there are none. `bounds` in seconds. */
export function quantileMs(
  counts: readonly number[],
  bounds: readonly number[],
  quantile: number,
): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let below = 0;
  for (const [i, count] of counts.entries()) {
    if (below + count < quantile * total) {
      below += count;
      continue;
    }
    const lower = bounds[i - 1] ?? 0;
    const upper = bounds[i];
    // Above all bounds nothing more is known than that.
    if (upper === undefined) return lower * SECOND;
    const share = count === 0 ? 1 : (quantile * total - below) / count;
    return Math.round((lower + (upper - lower) * share) * SECOND * 10) / 10;
  }
  return (bounds.at(-1) ?? 0) * SECOND;
}
