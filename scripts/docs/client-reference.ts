import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { declarationsOf, exportsOf, type Declaration } from './declarations.ts';
import { root } from './source-facts.ts';

const CLIENT = `${root}/packages/client`;
const OUTPUT = `${root}/.cache/client-reference`;

/** What a client of somebody else's may use; whoever uses `connect` needs none of it. */
const BUILDING_BLOCKS: ReadonlySet<string> = new Set(['ack-counter', 'cursor-book', 'cursor-rule']);

type Exported = Declaration & { readonly module: string };

/** Each entry of `@sanctum/client`: its declarations as the compiler writes them, with their docstrings. */
export function clientReference(): string {
  const { exports } = JSON.parse(readFileSync(`${CLIENT}/package.json`, 'utf8')) as {
    exports: Record<string, string>;
  };
  emitDeclarations();
  return Object.entries(exports)
    .map(([entry, source]) => {
      const declarations = declarationsOfEntry(source.replace('./src/', '').replace(/\.ts$/, ''));
      const parts = [...declarations].sort(byRank).map(section);
      return [`## ${path.posix.join('@sanctum/client', entry)}`, ...parts].join('\n\n');
    })
    .join('\n\n');
}

/** What callers begin with stands first: functions, classes, then what they name, then parts for other clients. */
function byRank(a: Exported, b: Exported): number {
  const rank = ({ kind, module }: Exported) =>
    BUILDING_BLOCKS.has(module) ? 3 : Math.min(['function', 'class'].indexOf(kind) >>> 0, 2);
  return rank(a) - rank(b);
}

function declarationsOfEntry(entry: string): Exported[] {
  return exportsOf(emitted(entry)).flatMap(({ from, names }) => {
    const file = path.posix.join(path.posix.dirname(entry), from);
    const declared = declarationsOf(emitted(file)).map((each) => ({ ...each, module: file }));
    if (names === '*') return declared;
    return names.map((name) => {
      const found = declared.find((each) => each.name === name);
      if (found === undefined) throw new Error(`${file} does not declare ${name}`);
      return found;
    });
  });
}

function section({ name, doc, text }: Declaration): string {
  return [`### \`${name}\``, prose(doc), `\`\`\`ts\n${text}\n\`\`\``].filter(Boolean).join('\n\n');
}

/** Tags as sentences of a list. */
function prose(doc: string): string {
  const [text = '', ...tags] = doc.split(/^@|(?<=[.;] )@/m);
  const items = tags.map((tag) => {
    const [, word = '', rest = ''] = /^(\w+)\s+([^]*)$/.exec(tag.trim()) ?? [];
    return `- _${word}_: ${rest.replaceAll(/\s*\n\s*/g, ' ')}`;
  });
  return [text.trim(), items.join('\n')].filter(Boolean).join('\n\n');
}

function emitted(module: string): string {
  return readFileSync(`${OUTPUT}/${module}.d.ts`, 'utf8');
}

/** The compiler's own declarations, of the sources as they are now. */
function emitDeclarations(): void {
  rmSync(OUTPUT, { recursive: true, force: true });
  mkdirSync(OUTPUT, { recursive: true });
  const options = {
    rootDir: `${CLIENT}/src`,
    outDir: OUTPUT,
    composite: false,
    incremental: false,
    tsBuildInfoFile: null,
    declaration: true,
    declarationMap: false,
    emitDeclarationOnly: true,
    // Only what declarations are made of: the rest is checked elsewhere.
    noCheck: true,
    stripInternal: true,
  };
  const entries = ['index', 'webcrypto/index', 'indexeddb/index', 'node/index'];
  const config = {
    extends: `${CLIENT}/tsconfig.json`,
    compilerOptions: options,
    include: [],
    files: entries.map((entry) => `${CLIENT}/src/${entry}.ts`),
    references: [],
  };
  writeFileSync(`${OUTPUT}/tsconfig.json`, JSON.stringify(config));
  const tsc = `${root}/node_modules/.bin/tsc`;
  const { status, stdout } = spawnSync(tsc, ['-p', OUTPUT], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the declarations of @sanctum/client cannot be made: ${stdout}`);
}
