import type { ErrorCode } from '@sanctum/protocol';
import type { AdminSchemaName } from '@sanctum/protocol/admin';
import type { RouteSpec } from '../route-spec.ts';
import * as examples from './admin-examples.ts';

export type AdminRouteSpec = RouteSpec<AdminSchemaName>;

/** What every call may answer. */
const COMMON: readonly ErrorCode[] = [
  'token_missing',
  'token_invalid',
  'token_expired',
  'revoked',
  'scope_required',
  'origin_denied',
  'unavailable',
  'internal',
];
const WITH_QUERY: readonly ErrorCode[] = [...COMMON, 'invalid_uuid', 'invalid_parameter'];
const WITH_BODY: readonly ErrorCode[] = [
  ...COMMON,
  'invalid_json',
  'invalid_body',
  'unknown_field',
  'invalid_uuid',
  'payload_too_large',
  'unsupported_media_type',
];

/** Every call of the admin API: what is served, described by the specification, and listed in docs/admin.md. */
export const adminOperations = {
  getMe: get('/me', 'Whom the token names', 'Me'),
  getPipeline: get(
    '/pipeline',
    'Each stage with health, cause, rate, errors, lag and backlog; the stores; the pods',
    'Pipeline',
  ),
  streamPipeline: {
    ...get(
      '/pipeline/stream',
      'The same each second, as server-sent events named `pipeline`. `EventSource` cannot send a token: read it with `fetch`',
      'Pipeline',
    ),
    answers: [
      { status: 200, description: 'Until the client goes', content: { mediaType: 'text/event-stream' } },
    ],
    problems: [...COMMON, 'overloaded'],
  },
  getPipelineHistory: {
    ...get(
      '/pipeline/history',
      'The last minutes, to be drawn; from the memory of the pod that answers',
      'PipelineHistory',
    ),
    query: 'PipelineHistoryQuery',
    problems: WITH_QUERY,
  },
  listDeadLetters: {
    ...get(
      '/dead-letters',
      'Dead rows (`row`) or unusable stream entries (`entry`), with all causes',
      'DeadLetters',
    ),
    query: 'DeadLettersQuery',
    problems: WITH_QUERY,
  },
  requeueDeadLetters: {
    method: 'POST',
    path: '/dead-letters/requeue',
    summary: 'Sends dead letters again: these, or all of a cause, of a conversation, or of a kind',
    body: { schema: 'RequeueBody', example: examples.requeueBody },
    answers: [answer(202, 'A job', 'Job'), answer(200, 'With `dry_run`: what it would touch', 'JobEstimate')],
    problems: WITH_BODY,
  },
  startReplay: {
    method: 'POST',
    path: '/replays',
    summary: 'Sends the messages of a conversation again that were sent in a span of time',
    body: { schema: 'ReplayBody', example: examples.replayBody },
    answers: [
      answer(202, 'A job', 'Job'),
      answer(200, 'With `dry_run`: how many messages and connected clients', 'JobEstimate'),
    ],
    problems: WITH_BODY,
  },
  listJobs: get('/jobs', 'Long work, how far it is; the latest first', 'Jobs'),
  getJob: {
    ...get('/jobs/{job_id}', 'One of them', 'Job'),
    params: 'JobParams',
    problems: [...COMMON, 'invalid_uuid', 'not_found'],
  },
  stopJob: {
    ...get('/jobs/{job_id}', 'Stops it after the piece under way', 'Job'),
    method: 'DELETE',
    params: 'JobParams',
    problems: [...COMMON, 'invalid_uuid', 'not_found', 'unsupported_media_type'],
  },
  traceMessage: {
    ...get(
      '/messages/{message_id}/trace',
      'Accepted, dispatched, read, published, and which connected members are past it now',
      'Trace',
    ),
    params: 'TraceParams',
    query: 'TraceQuery',
    problems: [...WITH_QUERY, 'not_found'],
  },
  listConnections: {
    ...get('/connections', 'Connections over all pods, slow ones marked', 'Connections'),
    query: 'ConnectionsQuery',
    problems: WITH_QUERY,
  },
  getControls: get(
    '/controls',
    'What is paused, by whom, why, since when, and which pods have not followed yet',
    'Controls',
  ),
  putControl: {
    method: 'PUT',
    path: '/controls',
    summary: 'Pauses or resumes a stage on every pod, within a second',
    body: { schema: 'PutControl', example: examples.putControl },
    answers: [answer(200, 'What is paused now', 'Controls')],
    problems: WITH_BODY,
  },
  listRevocations: {
    ...get('/revocations', 'What is revoked, the latest first', 'Revocations'),
    query: 'RevocationsQuery',
    problems: WITH_QUERY,
  },
  revoke: {
    method: 'POST',
    path: '/revocations',
    summary: "Revokes a user's tokens issued until now, or a login's for good; their connections close",
    body: { schema: 'RevocationBody', example: examples.revocationBody },
    answers: [answer(201, 'Revoked; so many connections are closing', 'Revoked')],
    problems: WITH_BODY,
  },
  getPartitions: get('/partitions', 'Partitions against the retention, and background jobs', 'Partitions'),
  getConsumers: get(
    '/consumers',
    'The groups of the stream, their consumers and what is pending',
    'ConsumerGroups',
  ),
  listAudit: {
    ...get('/audit', 'Every change: who, what, when; the latest first', 'Audit'),
    query: 'AuditQuery',
    problems: WITH_QUERY,
  },
  getOpenapi: {
    ...get('/openapi.json', 'This specification', 'Me'),
    answers: [{ status: 200, description: 'OpenAPI 3.1', content: { mediaType: 'application/json' } }],
  },
} as const satisfies Record<string, AdminRouteSpec>;

export type AdminOperation = keyof typeof adminOperations;

/** Every call with its operation's name, in the table's order. */
export const adminRouteList: readonly (AdminRouteSpec & { readonly operation: AdminOperation })[] =
  Object.entries(adminOperations).map(([operation, route]) => ({
    ...(route as AdminRouteSpec),
    path: `/admin/v1${route.path}`,
    operation: operation as AdminOperation,
  }));

function answer<Name extends AdminSchemaName>(status: number, description: string, schema: Name) {
  return { status, description, content: { schema } } as const;
}

function get<Name extends AdminSchemaName>(path: string, summary: string, schema: Name) {
  const answers = [answer(200, summary, schema)] as const;
  return { method: 'GET', path, summary, answers, problems: COMMON } as const;
}
