import pg from 'pg';

/** How this adapter's connections read values: integers as numbers, times as milliseconds. */
export const numericTypes = new pg.TypeOverrides();
numericTypes.setTypeParser(pg.types.builtins.INT8, Number);
numericTypes.setTypeParser(pg.types.builtins.TIMESTAMPTZ, parseTimestamp);

/** `2025-02-03 04:05:06.789+00`, as the server writes it with `datestyle=ISO`; seconds may be split finer. */
function parseTimestamp(text: string): number {
  if (text.endsWith('infinity')) return text.startsWith('-') ? -Infinity : Infinity;
  const iso = `${text.slice(0, 10)}T${text.slice(11)}`;
  return Date.parse(/[+-]\d\d$/.test(iso) ? `${iso}:00` : iso);
}
