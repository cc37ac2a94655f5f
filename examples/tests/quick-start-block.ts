import { readFileSync } from 'node:fs';

const text = readFileSync(`${import.meta.dirname}/../../docs/quick-start.md`, 'utf8');

/** The block of the quick start that begins with the name of this file, as it stands. */
export function quickStartBlock(file: string): string {
  const blocks = Array.from(text.matchAll(/^```(?:js|html)\n([^]*?)^```$/gm), ([, block]) => block!);
  const found = blocks.filter((block) => new RegExp(`^(?://|<!--) ${file}\\b`).test(block));
  if (found.length !== 1) throw new Error(`the quick start has ${found.length} blocks of ${file}`);
  return found[0]!;
}

/** What is typed in the quick start's first chapter, once the service runs. */
export function quickStartCommands(): string {
  const block = /^```bash\n(node -p [^]*?)^```$/m.exec(text)?.[1];
  if (block === undefined) throw new Error('the quick start makes no key');
  return block;
}
