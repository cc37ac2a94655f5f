import { readFileSync } from 'node:fs';
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

/** The number that a module keeps for itself: `const NAME = 20_000;`, or a product of such and of units. */
export function constantOf(file: string, name: string): number {
  const [, expression] = new RegExp(`^(?:export )?const ${name} = ([^;]+);`, 'm').exec(textOf(file)) ?? [];
  if (expression === undefined) throw new Error(`${file} has no constant ${name}`);
  return expression.split('*').reduce((product, factor) => {
    const text = factor.trim();
    const value = /^[\d_.]+$/.test(text) ? Number(text.replaceAll('_', '')) : constantOf(file, text);
    return product * value;
  }, 1);
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
