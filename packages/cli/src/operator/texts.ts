/** A time span for people: `12s`, `5m`, `3h`, `2d`. */
export function ageText(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)}s`;
  if (seconds < 90 * 60) return `${(seconds / 60).toFixed(0)}m`;
  if (seconds < 36 * 3600) return `${(seconds / 3600).toFixed(0)}h`;
  return `${(seconds / 86_400).toFixed(0)}d`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(0)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}
