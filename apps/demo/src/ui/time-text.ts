/** The time of day, here: 24 hours, which need no word beside them. Empty for what is no time. */
export function timeText(time: string | number): string {
  const date = new Date(time);
  if (Number.isNaN(date.valueOf())) return '';
  return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, '0')).join(':');
}
