/** A measured value. `atMs` is on any clock that never goes back. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

/** How much a series may grow while it is judged: a share of its level, or `floor`, whichever is more. */
export interface SlopeBound {
  readonly unit: string;
  readonly share: number;
  readonly floor: number;
}

export interface SlopeVerdict {
  readonly series: string;
  readonly unit: string;
  readonly points: number;
  /** The mean. */
  readonly level: number;
  /** Least squares; falling is negative. */
  readonly slopePerHour: number;
  /** By that slope, over the judged time. */
  readonly growth: number;
  /** `growth` without what may be chance: two standard errors of the slope. */
  readonly certainGrowth: number;
  readonly allowedGrowth: number;
  /** `unknown`: fewer than POINTS_MIN points. */
  readonly verdict: 'flat' | 'grows' | 'unknown';
}

export const POINTS_MIN = 8;
const HOUR_MS = 3_600_000;

/**
 * Whether a series grows: a leak does, noise and the saw teeth of collected garbage and dropped partitions do not. The
 * growth that is surely there has to be more than the bound allows.
 */
export function judgeSlope(series: string, points: readonly Point[], bound: SlopeBound): SlopeVerdict {
  const { unit, share, floor } = bound;
  const n = points.length;
  const level = n === 0 ? 0 : points.reduce((sum, { value }) => sum + value, 0) / n;
  const allowedGrowth = Math.max(floor, Math.abs(level) * share);
  const base = { series, unit, points: n, level: rounded(level), allowedGrowth: rounded(allowedGrowth) };
  const lengthMs = n === 0 ? 0 : points[n - 1]!.atMs - points[0]!.atMs;
  if (n < POINTS_MIN || lengthMs <= 0) {
    return { ...base, slopePerHour: 0, growth: 0, certainGrowth: 0, verdict: 'unknown' };
  }
  const { slope, error } = leastSquares(points, level);
  const growth = slope * lengthMs;
  const certainGrowth = Math.max(0, growth - 2 * error * lengthMs);
  return {
    ...base,
    slopePerHour: rounded(slope * HOUR_MS),
    growth: rounded(growth),
    certainGrowth: rounded(certainGrowth),
    verdict: certainGrowth > allowedGrowth ? 'grows' : 'flat',
  };
}

/** Slope a millisecond, and its standard error. */
function leastSquares(points: readonly Point[], meanValue: number): { slope: number; error: number } {
  const n = points.length;
  const meanAt = points.reduce((sum, { atMs }) => sum + atMs, 0) / n;
  let sxx = 0;
  let sxy = 0;
  for (const { atMs, value } of points) {
    sxx += (atMs - meanAt) ** 2;
    sxy += (atMs - meanAt) * (value - meanValue);
  }
  const slope = sxy / sxx;
  let residuals = 0;
  for (const { atMs, value } of points) residuals += (value - meanValue - slope * (atMs - meanAt)) ** 2;
  return { slope, error: Math.sqrt(residuals / (n - 2) / sxx) };
}

function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
