import { z } from 'zod';
import * as clientFrames from './client-frames.ts';
import * as http from './http.ts';
import * as serverFrames from './server-frames.ts';

/** Every schema of the HTTP API, by the name it has in the specification. */
export const httpSchemas = {
  CreateConversationBody: http.createConversationBody,
  PostMessageBody: http.postMessageBody,
  ConversationParams: http.conversationParams,
  MemberParams: http.memberParams,
  PageQuery: http.pageQuery,
  HistoryQuery: http.historyQuery,
  CreatedConversation: http.createdConversation,
  Conversation: http.conversation,
  ConversationDetail: http.conversationDetail,
  ConversationList: http.conversationList,
  Member: http.member,
  MemberList: http.memberList,
  AddedMember: http.addedMember,
  PostedMessage: http.postedMessage,
  MessageFrame: serverFrames.messageFrame,
  HistoryPage: http.historyPage,
  DemoFileParams: http.demoFileParams,
  DemoTokenBody: http.demoTokenBody,
  DemoToken: http.demoToken,
  Problem: http.problemAnswer,
} as const satisfies Record<string, z.ZodType>;

/** Every frame that a client sends, by the name it has in the specification. */
export const clientFrameSchemas = {
  HelloFrame: clientFrames.helloFrame,
  CursorsFrame: clientFrames.cursorsFrame,
  SubscribeFrame: clientFrames.subscribeFrame,
  UnsubscribeFrame: clientFrames.unsubscribeFrame,
  AckFrame: clientFrames.ackFrame,
  AuthFrame: clientFrames.authFrame,
  PingFrame: clientFrames.pingFrame,
} as const satisfies Record<string, z.ZodType>;

/** Every frame that a server sends, by the name it has in the specification. */
export const serverFrameSchemas = {
  ReadyFrame: serverFrames.readyFrame,
  SubscribedFrame: serverFrames.subscribedFrame,
  UnsubscribedFrame: serverFrames.unsubscribedFrame,
  MessageFrame: serverFrames.messageFrame,
  GapFrame: serverFrames.gapFrame,
  ResetFrame: serverFrames.resetFrame,
  CaughtUpFrame: serverFrames.caughtUpFrame,
  MemberFrame: serverFrames.memberFrame,
  AuthenticatedFrame: serverFrames.authenticatedFrame,
  PongFrame: serverFrames.pongFrame,
  HeartbeatFrame: serverFrames.heartbeatFrame,
  GoawayFrame: serverFrames.goawayFrame,
  ErrorFrame: serverFrames.errorFrame,
} as const satisfies Record<string, z.ZodType>;

export const frameSchemas = { ...clientFrameSchemas, ...serverFrameSchemas } as const;

export type JsonSchema = Record<string, unknown>;

/**
 * JSON Schemas (2020-12) of named schemas, as they stand on the wire: those among them that hold one
 * another do so by `$ref`.
 * @param schemas name → schema
 * @param refPrefix what stands before a name in a `$ref`, as `#/components/schemas/`
 */
export function jsonSchemas(
  schemas: Readonly<Record<string, z.ZodType>>,
  refPrefix = '#/components/schemas/',
): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const generated = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => refPrefix + id,
    override: ({ zodSchema, jsonSchema }) => describeParameter(zodSchema, jsonSchema),
  }).schemas;
  return Object.fromEntries(
    Object.entries(generated).map(([name, { $schema: _schema, $id: _id, id: _name, ...schema }]) => [
      name,
      schema as JsonSchema,
    ]),
  );
}

/** A schema with a `parameter` in its meta is described by that, and not by the text that carries it. */
function describeParameter(schema: z.core.$ZodType, described: JsonSchema): void {
  const { parameter } = z.globalRegistry.get(schema) ?? {};
  if (typeof parameter !== 'object' || parameter === null) return;
  for (const key of Object.keys(described)) delete described[key];
  Object.assign(described, parameter);
}
