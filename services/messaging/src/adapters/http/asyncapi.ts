import { CLOSE_CODES, closeMeaning, SUBPROTOCOL } from '@sanctum/protocol';
import { clientFrameSchemas, frameSchemas, jsonSchemas, serverFrameSchemas } from '@sanctum/protocol/schemas';

const SCHEMA_PREFIX = '#/components/schemas/';

const schemas = jsonSchemas(frameSchemas, SCHEMA_PREFIX);

const closeCodes = Object.entries(CLOSE_CODES)
  .map(
    ([code, { name, action }]) => `| ${code} | \`${name}\` | ${closeMeaning(Number(code))} | \`${action}\` |`,
  )
  .join('\n');

/** AsyncAPI 3.0 of the WebSocket, made from the schemas that validate its frames. */
export const asyncapi = {
  asyncapi: '3.0.0',
  info: {
    title: 'Sanctum Messaging, WebSocket',
    version: '1.0.0',
    description:
      `JSON text frames, each with \`type\`; subprotocol \`${SUBPROTOCOL}\`. The token comes in \`Authorization\` or in ` +
      `\`hello\`.\n\nClose codes:\n\n| code | name | meaning | client |\n|---|---|---|---|\n${closeCodes}`,
    license: { name: 'Apache-2.0' },
  },
  defaultContentType: 'application/json',
  channels: {
    ws: {
      address: '/ws',
      title: 'One connection',
      messages: Object.fromEntries(
        Object.keys(frameSchemas).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
      ),
      bindings: {
        ws: {
          method: 'GET',
          headers: {
            type: 'object',
            properties: {
              'Sec-WebSocket-Protocol': { type: 'string', const: SUBPROTOCOL },
              Authorization: { type: 'string' },
            },
            required: ['Sec-WebSocket-Protocol'],
          },
          bindingVersion: '0.1.0',
        },
      },
    },
  },
  operations: {
    receiveFromClient: operation('receive', 'What a client sends', clientFrameSchemas),
    sendToClient: operation('send', 'What the server sends', serverFrameSchemas),
  },
  components: {
    messages: Object.fromEntries(
      Object.keys(frameSchemas).map((name) => {
        const { title, description } = schemas[name] as { title?: string; description?: string };
        return [name, { name, title, summary: description, payload: { $ref: SCHEMA_PREFIX + name } }];
      }),
    ),
    schemas,
  },
};

function operation(action: 'send' | 'receive', summary: string, frames: object) {
  return {
    action,
    summary,
    channel: { $ref: '#/channels/ws' },
    messages: Object.keys(frames).map((name) => ({ $ref: `#/channels/ws/messages/${name}` })),
  };
}
