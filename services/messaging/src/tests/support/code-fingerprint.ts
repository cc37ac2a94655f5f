import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../../../../', import.meta.url);

/**
 * The sources in these folders, and these files (from the root of the workspace), in one word, tests aside: what a
 * report was made with. `skips` names folders within them that take no part.
 */
export function fingerprintOf(
  places: readonly string[],
  { skips = [] }: { readonly skips?: readonly string[] } = {},
): string {
  const files = places.flatMap((place) => {
    const path = fileURLToPath(new URL(place, ROOT));
    if (statSync(path).isFile()) return [path];
    return readdirSync(path, { recursive: true })
      .map((file) => String(file))
      .filter((file) => !skips.some((skipped) => file.startsWith(`${skipped}/`)))
      .map((file) => join(path, file));
  });
  const hash = createHash('sha256');
  for (const file of files.toSorted()) {
    if (/\.(?:ts|sql|lua)$/.test(file) && !file.endsWith('.test.ts')) hash.update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}
