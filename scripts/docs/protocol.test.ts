import { expect, it } from 'vitest';
import { clientFrameSchemas, serverFrameSchemas } from '../../packages/protocol/src/schemas.ts';
import { textOf } from './source-facts.ts';

interface FrameShape {
  readonly shape: Readonly<Record<string, { safeParse(value: unknown): { success: boolean } }>>;
}

const frames = Object.values({ ...clientFrameSchemas, ...serverFrameSchemas }).map((schema) => {
  const { shape } = schema as unknown as FrameShape;
  const { title } = (schema as unknown as { meta(): { title: string } }).meta();
  return { title, shape };
});

/** The first two columns of the table below a heading: field, and whether it is required. */
function fieldsUnder(heading: string): Map<string, string> {
  const [, section] = new RegExp(`\\n### ${heading}\\n([^]*?)\\n##`).exec(textOf('docs/protocol.md')) ?? [];
  const rows = (section ?? '').matchAll(/^\| `(\w+)` +\| ([\w ]+?) +\|/gm);
  return new Map(Array.from(rows, ([, field, required]) => [field!, required!]));
}

it.each(frames)('docs/protocol.md describes every field of $title, and no other', ({ title, shape }) => {
  const described = fieldsUnder(title);
  expect([...described.keys()].sort()).toEqual(Object.keys(shape).sort());
  for (const [field, schema] of Object.entries(shape)) {
    const isOptional = schema.safeParse(undefined).success;
    // `payload` may be any JSON, and so nothing at all, as far as the schema goes.
    if (field !== 'payload')
      expect(`${field}: ${described.get(field)}`).toMatch(isOptional ? /no|see text/ : /yes/);
  }
});
