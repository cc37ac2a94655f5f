/** How figures are written: short, of one width as they change, with their unit, in UTC as the logs are. */

export const NOTHING = '–';

const NUMBER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `12,345` */
export function countText(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : NUMBER.format(value);
}

/** Per second: `0`, `0.3`, `42.1`, `1,284`. */
export function rateText(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  if (value === 0) return '0';
  if (value < 0.05) return '<0.1';
  return value < 99.95 ? value.toFixed(1) : NUMBER.format(value);
}

/** `0 s`, `0.4 s`, `59 s`, `3 min`, `2 h 5 min`, `4 d 3 h`. */
export function durationText(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 0.05) return '0 s';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** `4 ms`, `380 ms`, `1.2 s`. */
export function millisecondsText(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  if (value < 999.5) return value < 9.95 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
  return durationText(value / 1000);
}

/** `512 B`, `1.4 kB`, `3.0 GB` (decimal). */
export function bytesText(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  let amount = value;
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (amount < 999.5) return `${unit === 'B' ? amount : amount.toFixed(1)} ${unit}`;
    amount /= 1000;
  }
  return `${amount.toFixed(1)} TB`;
}

/** `2026-11-25 19:16:36` of an RFC 3339 time in UTC. */
export function timeText(time: string | null | undefined): string {
  return time === null || time === undefined ? NOTHING : time.slice(0, 19).replace('T', ' ');
}

/** Seconds since an RFC 3339 time, never negative: clocks differ a little. */
export function secondsSince(time: string, nowMs: number): number {
  return Math.max(0, (nowMs - Date.parse(time)) / 1000);
}

/** `1 message`, `3 messages`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${countText(value)} ${value === 1 ? one : many}`;
}
