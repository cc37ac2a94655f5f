import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

const texts = new Map<string, string>();

/** A file of the repository, by its path from the root. */
export function textOf(file: string): string {
  let text = texts.get(file);
  if (text === undefined) {
    text = readFileSync(`${root}/${file}`, 'utf8');
    texts.set(file, text);
  }
  return text;
}

/** The TypeScript files below a folder, tests left out, by their paths from the root; a file is itself. */
export function sourcesIn(folder: string): string[] {
  if (folder.endsWith('.ts')) return [folder];
  return readdirSync(`${root}/${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('tests/'))
    .map((file) => `${folder}/${file}`)
    .sort();
}

/**
 * A number that some module of a folder keeps for itself: `const NAME = 20_000;`, or a product of such and of
 * other constants. Where two modules have one of this name they must agree.
 */
export function constantIn(folder: string, name: string): number {
  const pattern = new RegExp(`^(?:export )?const ${name} = ([^;]+);`, 'm');
  const values = sourcesIn(folder).flatMap((file) => {
    const [, expression] = pattern.exec(textOf(file)) ?? [];
    if (expression === undefined) return [];
    const factors = expression.split('*').map((factor) => factor.trim());
    const value = factors.map((factor) =>
      /^[\d_.]+$/.test(factor) ? Number(factor.replaceAll('_', '')) : constantIn(folder, factor),
    );
    return [value.reduce((product, each) => product * each, 1)];
  });
  const [value] = values;
  if (value === undefined || values.some((other) => other !== value)) {
    throw new Error(`${folder} has ${values.length} constants ${name}: ${values.join(', ')}`);
  }
  return value;
}

export interface Pool {
  readonly name: string;
  readonly maxConnections: string;
  readonly callTimeout: string;
}

/** The Postgres pools that the composition root makes. */
export function postgresPools(): Pool[] {
  const calls = textOf('services/messaging/src/server.ts').matchAll(
    / = pool\('([\w-]+)', ([^,]+), (\w+)\);/g,
  );
  return Array.from(calls, ([, name, maxConnections, callTimeout]) => ({
    name: name!,
    maxConnections: maxConnections!,
    callTimeout: callTimeout!,
  }));
}
