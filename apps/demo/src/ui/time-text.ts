const format = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** The time of day, here. */
export function timeText(time: string | number): string {
  const date = new Date(time);
  return Number.isNaN(date.valueOf()) ? '' : format.format(date);
}
