import { ERRORS, type ErrorCode, problem, PROBLEM_MEDIA_TYPE } from '@sanctum/protocol';
import { httpSchemas, jsonSchemas, type JsonSchema } from '@sanctum/protocol/schemas';
import { type AnswerSpec, isGuarded, type RouteSpec, routeList, type SchemaName } from './routes.ts';

const SCHEMA_PREFIX = '#/components/schemas/';
const schemas = jsonSchemas(httpSchemas, SCHEMA_PREFIX);

const HEADERS = {
  'Idempotent-Replay': { description: '`true`: this is the first answer again', schema: { const: 'true' } },
  'Retry-After': {
    description: 'Seconds; `retry_after_ms` is more exact',
    schema: { type: 'integer', minimum: 1 },
  },
};

/** OpenAPI 3.1 of the public HTTP server, made from the schemas that validate and the routes that are served. */
export const openapi = {
  openapi: '3.1.0',
  info: {
    title: 'Sanctum Messaging',
    version: '1.0.0',
    description:
      'End-to-end encrypted messaging: the server sees ciphertext only. Errors are RFC 9457 problems with a stable `code`.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  paths: paths(),
  components: {
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    schemas: componentSchemas(),
  },
};

function paths(): Record<string, Record<string, unknown>> {
  const all: Record<string, Record<string, unknown>> = {};
  for (const route of routeList) {
    (all[route.path] ??= {})[route.method.toLowerCase()] = {
      operationId: route.operation,
      summary: route.summary,
      security: isGuarded(route) ? [{ bearer: [] }] : [],
      ...parametersOf(route),
      ...(route.body && {
        requestBody: { required: true, content: content(route.body.schema, route.body.example) },
      }),
      responses: { ...answersOf(route), ...problemsOf(route) },
    };
  }
  return all;
}

function parametersOf({ params, query }: RouteSpec): { parameters?: unknown[] } {
  const parameters = [...parametersIn('path', params), ...parametersIn('query', query)];
  return parameters.length === 0 ? {} : { parameters };
}

function parametersIn(place: 'path' | 'query', schemaName: SchemaName | undefined): unknown[] {
  if (schemaName === undefined) return [];
  const { properties = {} } = schemas[schemaName] as { properties?: Record<string, JsonSchema> };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: place === 'path',
    ...(description !== undefined && { description }),
    schema,
  }));
}

function answersOf(route: RouteSpec): Record<string, unknown> {
  return Object.fromEntries(route.answers.map((answer) => [answer.status, answerOf(answer)]));
}

function answerOf({ description, content: what, headers }: AnswerSpec) {
  return {
    description,
    ...(headers && {
      headers: Object.fromEntries(headers.map((name) => [name, HEADERS[name as keyof typeof HEADERS]])),
    }),
    ...(what && {
      content: 'schema' in what ? content(what.schema, what.example) : { [what.mediaType]: {} },
    }),
  };
}

/** One answer for each status, with an example of each code under it. */
function problemsOf(route: RouteSpec): Record<string, unknown> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of route.problems) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries([...byStatus].map(([status, codes]) => [status, problemAnswer(status, codes)]));
}

function problemAnswer(status: number, codes: readonly ErrorCode[]) {
  const isRetried = status === 503 || status === 429;
  const example = (code: ErrorCode) => ({
    summary: ERRORS[code].title,
    value: problem(code, isRetried ? { retryAfterMs: 1000 } : {}),
  });
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    ...(isRetried && { headers: { 'Retry-After': HEADERS['Retry-After'] } }),
    content: {
      [PROBLEM_MEDIA_TYPE]: {
        schema: { $ref: `${SCHEMA_PREFIX}Problem` },
        examples: Object.fromEntries(codes.map((code) => [code, example(code)])),
      },
    },
  };
}

function content(schema: string, example: unknown) {
  return {
    'application/json': { schema: { $ref: SCHEMA_PREFIX + schema }, examples: { usual: { value: example } } },
  };
}

/** All but those of parameters, which stand with their operations, one by one. */
function componentSchemas(): Record<string, JsonSchema> {
  const parameters = new Set<string | undefined>(routeList.flatMap(({ params, query }) => [params, query]));
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => !parameters.has(name)));
}
