import { expect, it } from 'vitest';
import { regions } from './generated.ts';
import { DOCUMENTS, regionNames, writeDocuments } from './regions.ts';
import { textOf } from './source-facts.ts';

it('the generated parts of the documents are up to date: else run scripts/write-docs.ts', async () => {
  expect(await writeDocuments({ check: true })).toEqual([]);
});

it('each generated part stands in one document', () => {
  const names = DOCUMENTS.flatMap((name) => regionNames(textOf(name)));
  expect(names.sort()).toEqual(Object.keys(regions).sort());
});
