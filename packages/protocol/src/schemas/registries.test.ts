import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import type { ClientFrame, ServerFrame } from '../frames.ts';
import type { ParsedClientFrame } from './client-frames.ts';
import type { clientFrameSchemas, serverFrameSchemas } from './registries.ts';
import { frameSchemas, httpSchemas, jsonSchemas } from './registries.ts';
import { streamEntry } from './stream-entry.ts';
import { tokenClaims } from './token-claims.ts';

const ALL = { ...httpSchemas, ...frameSchemas, StreamEntry: streamEntry, TokenClaims: tokenClaims };

test.each(Object.entries(ALL))('%s bears its own name and a description', (name, schema) => {
  const { id, description } = schema.meta() ?? {};
  expect(id).toBe(name);
  expect(description).toEqual(expect.any(String));
});

test('every schema has a JSON Schema, and refers only to its fellows', () => {
  const described = jsonSchemas(ALL);
  expect(Object.keys(described)).toEqual(Object.keys(ALL));
  for (const [, name] of JSON.stringify(described).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    expect(described).toHaveProperty(name as string);
  }
  expect(described['HistoryPage']).toMatchObject({
    properties: { messages: { items: { $ref: '#/components/schemas/MessageFrame' } } },
  });
  expect(JSON.stringify(described)).not.toMatch(/"\$id"|"\$schema"|#\/\$defs/);
});

test.each(Object.entries(ALL))('%s also has a JSON Schema alone', (_name, schema) => {
  expect(z.toJSONSchema(schema, { io: 'input' })).toHaveProperty('$schema');
});

test('a number in a query is described as the number', () => {
  expect(jsonSchemas(httpSchemas)['HistoryQuery']).toMatchObject({
    properties: {
      after: { type: 'integer', minimum: 0, default: 0 },
      limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
    },
  });
});

test('bodies refuse unknown fields in the specification too, answers do not', () => {
  const described = jsonSchemas(ALL);
  expect(described['PostMessageBody']).toHaveProperty('additionalProperties', false);
  expect(described['SubscribeFrame']).toHaveProperty('additionalProperties', false);
  for (const name of ['HelloFrame', 'AckFrame', 'MessageFrame', 'PostedMessage', 'Problem']) {
    expect(described[name]).not.toHaveProperty('additionalProperties');
  }
});

describe('the types of frames and their schemas', () => {
  type Input = z.input<(typeof clientFrameSchemas)[keyof typeof clientFrameSchemas]>;
  type Output = z.output<(typeof serverFrameSchemas)[keyof typeof serverFrameSchemas]>;

  test('agree', () => {
    expectTypeOf<ClientFrame>().toExtend<Input>();
    expectTypeOf<Input>().toExtend<ClientFrame>();
    expectTypeOf<ParsedClientFrame>().toExtend<ClientFrame>();
    expectTypeOf<ServerFrame>().toExtend<Output>();
    expectTypeOf<Output>().toExtend<ServerFrame>();
  });
});
