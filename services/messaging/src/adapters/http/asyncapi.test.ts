import { readFileSync } from 'node:fs';
import { CLOSE_CODES } from '@sanctum/protocol';
import { clientFrameSchemas, serverFrameSchemas } from '@sanctum/protocol/schemas';
import { describe, expect, it } from 'vitest';
import { asyncapi } from './asyncapi.ts';

describe('the AsyncAPI specification', () => {
  it('is what docs/asyncapi.json says; scripts/write-specs.ts writes it', () => {
    const file = new URL('../../../../../docs/asyncapi.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(asyncapi)));
  });

  it('is of version 3.0, and resolves each of its references', () => {
    expect(asyncapi.asyncapi).toBe('3.0.0');
    for (const [, reference] of JSON.stringify(asyncapi).matchAll(/"\$ref":"([^"]+)"/g)) {
      const found = reference!
        .replace('#/', '')
        .split('/')
        .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], asyncapi);
      expect(found).toBeTypeOf('object');
    }
  });

  it('has every frame, on its side', () => {
    const { receiveFromClient, sendToClient } = asyncapi.operations;
    const names = ({ messages }: { messages: { $ref: string }[] }) =>
      messages.map(({ $ref }) => $ref.split('/').at(-1));
    expect(names(receiveFromClient)).toEqual(Object.keys(clientFrameSchemas));
    expect(names(sendToClient)).toEqual(Object.keys(serverFrameSchemas));
    expect([receiveFromClient.action, sendToClient.action]).toEqual(['receive', 'send']);
  });

  it('gives each frame its type, title and summary', () => {
    for (const [name, message] of Object.entries(asyncapi.components.messages)) {
      expect(message.summary).toBeTypeOf('string');
      const { properties } = asyncapi.components.schemas[name] as { properties: { type: { const: string } } };
      expect(properties.type.const).toBe(message.title);
    }
  });

  it('lists every close code', () => {
    for (const code of Object.keys(CLOSE_CODES)) expect(asyncapi.info.description).toContain(`| ${code} | `);
  });
});
