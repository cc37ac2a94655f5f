import type { ErrorCode } from '@sanctum/protocol';
import type { httpSchemas } from '@sanctum/protocol/schemas';
import * as examples from './examples.ts';
import type { AnswerSpec, RouteSpec as Route } from './route-spec.ts';

export type SchemaName = keyof typeof httpSchemas;
export type RouteSpec = Route<SchemaName>;

/** What every route behind a token may answer. */
const GUARDED: readonly ErrorCode[] = [
  'token_missing',
  'token_invalid',
  'token_expired',
  'revoked',
  'origin_denied',
  'rate_limited',
  'overloaded',
  'unavailable',
  'internal',
];
const NAMED: readonly ErrorCode[] = [
  ...GUARDED,
  'invalid_uuid',
  'invalid_parameter',
  'conversation_not_found',
];
const WITH_BODY: readonly ErrorCode[] = [
  'invalid_json',
  'invalid_body',
  'unknown_field',
  'invalid_uuid',
  'payload_too_large',
  'unsupported_media_type',
];
/** The body is empty, and refused where it is not. */
const WITHOUT_BODY: readonly ErrorCode[] = [
  'invalid_json',
  'invalid_body',
  'unknown_field',
  'payload_too_large',
  'unsupported_media_type',
];

const JSON_TYPE = 'application/json';

export const routes = {
  createConversation: {
    method: 'POST',
    path: '/v1/conversations',
    summary: 'Create a conversation; the caller becomes its owner and a member',
    body: { schema: 'CreateConversationBody', example: examples.createConversationBody },
    answers: [
      json(201, 'Created', 'CreatedConversation', examples.createdConversation),
      json(
        200,
        'The same conversation was created before, and the caller is in it',
        'CreatedConversation',
        examples.createdConversation,
      ),
    ],
    problems: [...GUARDED, ...WITH_BODY, 'conversation_exists', 'too_many_conversations'],
  },
  listConversations: {
    method: 'GET',
    path: '/v1/conversations',
    summary: 'The conversations of the caller, by id',
    query: 'PageQuery',
    answers: [json(200, 'A page', 'ConversationList', examples.conversationList)],
    problems: [...GUARDED, 'invalid_parameter'],
  },
  getConversation: {
    method: 'GET',
    path: '/v1/conversations/{id}',
    summary: 'One conversation of the caller',
    params: 'ConversationParams',
    answers: [json(200, 'The conversation', 'ConversationDetail', examples.conversationDetail)],
    problems: NAMED,
  },
  listMembers: {
    method: 'GET',
    path: '/v1/conversations/{id}/members',
    summary: 'The members of a conversation, by user id',
    params: 'ConversationParams',
    query: 'PageQuery',
    answers: [json(200, 'A page', 'MemberList', examples.memberList)],
    problems: NAMED,
  },
  addMember: {
    method: 'PUT',
    path: '/v1/conversations/{id}/members/{user_id}',
    summary: 'Add a member; by the owner or with the scope messaging:manage',
    params: 'MemberParams',
    answers: [json(200, 'The user is a member', 'AddedMember', examples.addedMember)],
    problems: [...NAMED, ...WITHOUT_BODY, 'not_owner', 'conversation_full', 'too_many_conversations'],
  },
  removeMember: {
    method: 'DELETE',
    path: '/v1/conversations/{id}/members/{user_id}',
    summary: 'Remove a member; anyone may remove themselves',
    params: 'MemberParams',
    answers: [{ status: 204, description: 'The user is not a member' }],
    problems: [...NAMED, ...WITHOUT_BODY, 'not_owner'],
  },
  postMessage: {
    method: 'POST',
    path: '/v1/conversations/{id}/messages',
    summary: 'Send a message; repeatable with the same message id',
    params: 'ConversationParams',
    body: { schema: 'PostMessageBody', example: examples.postMessageBody },
    answers: [
      json(201, 'Committed', 'PostedMessage', examples.postedMessage),
      {
        ...json(200, 'The same message was committed before', 'PostedMessage', examples.postedMessage),
        headers: ['Idempotent-Replay'],
      },
    ],
    problems: [...NAMED, ...WITH_BODY, 'invalid_ciphertext', 'message_id_reused'],
  },
  readHistory: {
    method: 'GET',
    path: '/v1/conversations/{id}/messages',
    summary: 'A page of messages, ascending; done when next_after is the head',
    params: 'ConversationParams',
    query: 'HistoryQuery',
    answers: [
      json(
        200,
        'A page; next_after = after below the head: ask again after a second',
        'HistoryPage',
        examples.historyPage,
      ),
    ],
    problems: [...NAMED, 'cursor_ahead'],
  },
  health: open('/healthz', 'The process lives', JSON_TYPE),
  readiness: {
    ...open('/readyz', 'This pod can do its part; `degraded` names what else is wrong', JSON_TYPE),
    answers: [
      { status: 200, description: 'Ready', content: { mediaType: JSON_TYPE } },
      { status: 503, description: 'Not ready', content: { mediaType: JSON_TYPE } },
    ],
  },
  metrics: open('/metrics', 'Every metric, as Prometheus text', 'text/plain'),
  transportMetrics: open('/ws/metrics', 'The transport_ metrics, as Prometheus text', 'text/plain'),
  openapi: open('/openapi.json', 'This specification', JSON_TYPE),
  asyncapi: open('/asyncapi.json', 'The specification of the WebSocket', JSON_TYPE),
  docs: open('/docs', 'Both specifications as a page', 'text/html'),
  demo: open('/demo', 'The demo chat: two people, encrypted, in one page', 'text/html'),
  demoFile: { ...open('/demo/{file}', 'What the demo chat loads', '*/*'), params: 'DemoFileParams' },
  demoToken: {
    method: 'POST',
    path: '/demo/token',
    summary: 'A token for a user of the demo chat; only where `DEMO_TOKENS` is set, for development',
    body: { schema: 'DemoTokenBody', example: examples.demoTokenBody },
    answers: [json(200, 'Valid for ten minutes', 'DemoToken', examples.demoToken)],
    problems: ['origin_denied', 'internal', ...WITHOUT_BODY],
  },
} as const satisfies Record<string, RouteSpec>;

export type Operation = keyof typeof routes;

/** Every route with its operation's name, in the table's order. */
export const routeList: readonly (RouteSpec & { readonly operation: Operation })[] = Object.entries(
  routes,
).map(([operation, route]) => ({ ...(route as RouteSpec), operation: operation as Operation }));

/** Whether a route is behind a token. */
export function isGuarded(route: Pick<RouteSpec, 'path'>): boolean {
  return route.path.startsWith('/v1/');
}

function json(status: number, description: string, schema: SchemaName, example: unknown) {
  return { status, description, content: { schema, example } } as const;
}

function open(path: string, summary: string, mediaType: string) {
  const answers: readonly AnswerSpec<SchemaName>[] = [
    { status: 200, description: summary, content: { mediaType } },
  ];
  return { method: 'GET', path, summary, answers, problems: [] } as const;
}
