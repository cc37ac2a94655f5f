import { expect, it } from 'vitest';
import { declarationsOf, exportsOf } from './declarations.ts';
import { regionNames } from './regions.ts';
import { textOf } from './source-facts.ts';

it('declarations end where they end, whatever stands in their comments', () => {
  const text = `import type { A } from './a.ts';
/** Makes { one. @throws Error */
export declare function make(a: A): Promise<{
    b: string;
}>;
export type Kind = {
    readonly kind: 'x';
} | {
    readonly kind: 'y';
};
/**
 * Two
 * lines.
 */
export declare class Box<T extends { a: 1 }> {
    #private;
    /** Never } mind. */
    readonly a: T;
    private constructor();
}
`;
  expect(declarationsOf(text)).toEqual([
    {
      kind: 'function',
      name: 'make',
      doc: 'Makes { one. @throws Error',
      text: 'function make(a: A): Promise<{\n    b: string;\n}>;',
    },
    {
      kind: 'type',
      name: 'Kind',
      doc: '',
      text: "type Kind = {\n    readonly kind: 'x';\n} | {\n    readonly kind: 'y';\n};",
    },
    {
      kind: 'class',
      name: 'Box',
      doc: 'Two\nlines.',
      text: 'class Box<T extends { a: 1 }> {\n    /** Never } mind. */\n    readonly a: T;\n}',
    },
  ]);
});

it('exports are read in each of their forms', () => {
  const text = `export * from './a.ts';
export type * from './b/c.ts';
export { x, type Y } from './d.ts';
`;
  expect(exportsOf(text)).toEqual([
    { from: 'a', names: '*' },
    { from: 'b/c', names: '*' },
    { from: 'd', names: ['x', 'Y'] },
  ]);
});

it('every function and class of the reference says what it is', () => {
  expect(regionNames(textOf('docs/client.md'))).toEqual(['client-reference']);
  const silent = textOf('docs/client.md').matchAll(/^### `(\w+)`\n\n```ts\n(?:function|class) /gm);
  expect(Array.from(silent, ([, name]) => name)).toEqual([]);
});
