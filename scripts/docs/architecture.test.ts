import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { migrationNames } from '../../services/messaging/src/adapters/postgres/migrate.ts';
import { root, sourcesIn, textOf } from './source-facts.ts';

const SERVICE = 'services/messaging/src';

interface Mention {
  readonly text: string;
  /** The block of the document that it stands in, for the message of a failure. */
  readonly block: string;
  readonly files: readonly string[];
}

/** What stands in backticks, with the files named in the same paragraph, item or row. */
function mentions(): Mention[] {
  const prose = textOf('ARCHITECTURE.md')
    .replaceAll(/```[^]*?```/g, '')
    .replaceAll(/<!-- generated[^]*?<!-- end[^>]*>/g, '');
  return prose.split(/\n\n|\n(?=[-|] ?)/).flatMap((block) => {
    const texts = Array.from(block.matchAll(/`([^`]+)`/g), ([, text]) => text!);
    const files = texts.filter(isPath).map(fromRoot);
    return texts.map((text) => ({ text, files, block: block.slice(0, 60) }));
  });
}

function isPath(text: string): boolean {
  return (
    /^[\w./-]+\.(?:ts|mjs|sql|lua|json)$/.test(text) || /^(?:adapters|tests|packages)\/[\w/-]+$/.test(text)
  );
}

/** Paths are relative to the service, unless they begin with `packages`. */
function fromRoot(path: string): string {
  return path.startsWith('packages/') ? path : `${SERVICE}/${path}`;
}

/** `Class`, `Class.method`, `messaging.object`, or a function in camelCase. */
function isName(text: string): boolean {
  return /^(?:[A-Z][a-z]\w*(?:\.\w+)?|[a-z]+[A-Z]\w*|messaging\.\w+)$/.test(text);
}

function declares(file: string, name: string): boolean {
  const source = textOf(file);
  if (name.startsWith('messaging.')) {
    return new RegExp(
      `CREATE (?:UNLOGGED )?(?:TABLE|FUNCTION|PROCEDURE|SEQUENCE)(?: IF NOT EXISTS)? ${name.replace('.', '\\.')}\\b`,
    ).test(source);
  }
  return name
    .split('.')
    .every((part, index) =>
      index === 0
        ? new RegExp(
            `(?:class|interface|type|function\\*?|const|let) ${part}\\b|^  (?:async )?#?${part}[(<]`,
            'm',
          ).test(source)
        : new RegExp(`^  (?:readonly |async )*${part}\\b`, 'm').test(source),
    );
}

const allSources = [
  ...sourcesIn(SERVICE),
  ...sourcesIn('packages/client/src'),
  ...sourcesIn('packages/protocol/src'),
  ...migrationNames.map((name) => `${SERVICE}/adapters/postgres/migrations/${name}.sql`),
];

it('every file that ARCHITECTURE.md names exists', () => {
  const files = mentions().flatMap((mention) => mention.files);
  expect(files.length).toBeGreaterThan(60);
  expect(files.filter((file) => !existsSync(`${root}/${file}`))).toEqual([]);
});

it('every name in ARCHITECTURE.md is declared in a file named beside it, or where it was first named', () => {
  const names = mentions().filter(({ text }) => isName(text));
  expect(names.length).toBeGreaterThan(80);
  /** Class or function → the file beside which it stands elsewhere on the page. */
  const introduced = new Map<string, string>();
  for (const { text, files } of names) {
    const file = files.filter(isSource).find((each) => declares(each, text));
    if (file !== undefined) introduced.set(text, file);
  }
  const unknown = names.filter(({ text, files }) => {
    const elsewhere = introduced.get(text.split('.')[0]!);
    const known = [...files.filter(isSource), ...(elsewhere === undefined ? [] : [elsewhere])];
    return !(known.length > 0 ? known : allSources).some((file) => declares(file, text));
  });
  expect(unknown.map(({ text, block }) => `${text}, in: ${block}`)).toEqual([]);
});

function isSource(file: string): boolean {
  return /\.(?:ts|sql|lua)$/.test(file);
}
