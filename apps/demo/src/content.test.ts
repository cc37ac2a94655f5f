import { expect, it } from 'vitest';
import { type Content, encodeContent, parseContent } from './content.ts';

const CONTENTS: Content[] = [
  { kind: 'text', name: 'Ada', text: '{"kind":"receipt"}' },
  { kind: 'receipt', name: 'Ben', delivered: 7, read: 0 },
];

it.each(CONTENTS)('a $kind is read as it was written', (content) => {
  expect(parseContent(encodeContent(content))).toEqual(content);
});

it.each(['', 'no JSON', 'null', '[]', '{"kind":"text","name":"Ada"}', '{"kind":"new","name":"Ada"}'])(
  '%j is of somebody else',
  (json) => expect(parseContent(json)).toBeUndefined(),
);
