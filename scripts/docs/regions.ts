import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { regions } from './generated.ts';
import { root } from './source-facts.ts';

/** The documents that hold generated parts: `<!-- generated: NAME -->` … `<!-- end: NAME -->`. */
export const DOCUMENTS = [
  'ARCHITECTURE.md',
  'docs/admin.md',
  'docs/client.md',
  'docs/configuration.md',
  'docs/dependencies.md',
  'docs/guarantees.md',
  'docs/metrics.md',
  'docs/operations.md',
  'docs/protocol.md',
] as const;

const REGION = /(<!-- generated: ([\w-]+) -->\n)[^]*?(<!-- end: \2 -->)/g;

/** A document with its generated parts made anew. Throws on a part that nobody generates. */
export async function fillRegions(text: string): Promise<string> {
  const parts = new Map<string, string>();
  const style = await resolveConfig(`${root}/README.md`);
  for (const [, , name] of text.matchAll(REGION)) {
    const make = regions[name!];
    if (make === undefined)
      throw new Error(`nothing generates ${name}; there is: ${Object.keys(regions).join(', ')}`);
    parts.set(name!, (await format(await make(), { ...style, parser: 'markdown' })).trimEnd());
  }
  return text.replace(
    REGION,
    (_all, begin: string, name: string, end: string) => `${begin}\n${parts.get(name)!}\n\n${end}`,
  );
}

/** The names of the generated parts of a text. */
export function regionNames(text: string): string[] {
  return Array.from(text.matchAll(REGION), ([, , name]) => name!);
}

/** Makes the generated parts of all documents anew; returns those that were out of date. */
export async function writeDocuments(options: { readonly check: boolean }): Promise<string[]> {
  const stale: string[] = [];
  for (const name of DOCUMENTS) {
    const file = `${root}/${name}`;
    const before = readFileSync(file, 'utf8');
    const after = await fillRegions(before);
    if (after === before) continue;
    stale.push(name);
    if (!options.check) writeFileSync(file, after);
  }
  return stale;
}
