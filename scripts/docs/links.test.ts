import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { root, textOf } from './source-facts.ts';

const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  ...['packages', 'examples'].flatMap(readmesBelow),
  ...readdirSync(`${root}/docs`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
].sort();

/** `folder/README.md` and those of the folders in it. */
function readmesBelow(folder: string): string[] {
  return [folder, ...readdirSync(`${root}/${folder}`).map((name) => `${folder}/${name}`)]
    .map((each) => `${each}/README.md`)
    .filter((file) => existsSync(`${root}/${file}`));
}

/** The anchors that a page of this text has, as code hosts make them from headings. */
function anchors(text: string): Set<string> {
  const headings = Array.from(withoutCode(text).matchAll(/^#+ (.*)$/gm), ([, heading]) => heading!);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/^ *```[^]*?^ *```/gm, '');
}

it.each(documents)('every link of %s leads somewhere', (document) => {
  const targets = Array.from(
    withoutCode(textOf(document)).matchAll(/\]\(([^)\s]+)\)/g),
    ([, target]) => target!,
  );
  const broken = targets.filter((target) => {
    if (/^https?:/.test(target)) return false;
    const [file, anchor] = target.split('#') as [string, string?];
    const page = file === '' ? document : path.posix.join(path.posix.dirname(document), file);
    if (!existsSync(`${root}/${page}`)) return true;
    return anchor !== undefined && !anchors(textOf(page)).has(anchor);
  });
  expect(broken).toEqual([]);
});

it('every page of docs is named in its index', () => {
  const index = textOf('docs/README.md') + textOf('docs/adr/README.md');
  const pages = documents.filter((file) => file.startsWith('docs/') && !file.endsWith('README.md'));
  expect(pages.filter((file) => !index.includes(`(${path.posix.basename(file)})`))).toEqual([]);
});
