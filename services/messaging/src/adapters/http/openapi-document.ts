import { ERRORS, type ErrorCode, problem, PROBLEM_MEDIA_TYPE } from '@sanctum/protocol';
import { jsonSchemas, type JsonSchema } from '@sanctum/protocol/schemas';
import type { z } from 'zod';
import type { AnswerSpec, RouteSpec } from './route-spec.ts';

const SCHEMA_PREFIX = '#/components/schemas/';

type Route = RouteSpec<string> & { readonly operation: string };
type JsonSchemas = Record<string, JsonSchema>;

const HEADERS = {
  'Idempotent-Replay': { description: '`true`: this is the first answer again', schema: { const: 'true' } },
  'Retry-After': {
    description: 'Seconds; `retry_after_ms` is more exact',
    schema: { type: 'integer', minimum: 1 },
  },
};

/** OpenAPI 3.1 of an HTTP server, made from its table of routes and from the schemas that validate. */
export function openapiDocument(api: {
  readonly title: string;
  readonly description: string;
  readonly routes: readonly Route[];
  readonly isGuarded: (route: Route) => boolean;
  /** By the names that the routes use; `Problem` among them. */
  readonly schemas: Readonly<Record<string, z.ZodType>>;
}) {
  const schemas = jsonSchemas(api.schemas, SCHEMA_PREFIX);
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of api.routes) {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = {
      operationId: route.operation,
      summary: route.summary,
      security: api.isGuarded(route) ? [{ bearer: [] }] : [],
      ...parametersOf(route, schemas),
      ...(route.body && {
        requestBody: { required: true, content: content(route.body) },
      }),
      responses: { ...answersOf(route), ...problemsOf(route) },
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: api.title,
      version: '1.0.0',
      description: api.description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: componentSchemas(api.routes, schemas),
    },
  };
}

function parametersOf({ params, query }: Route, schemas: JsonSchemas): { parameters?: unknown[] } {
  const parameters = [
    ...parametersIn('path', params === undefined ? params : schemas[params]),
    ...parametersIn('query', query === undefined ? query : schemas[query]),
  ];
  return parameters.length === 0 ? {} : { parameters };
}

function parametersIn(place: 'path' | 'query', parameters: JsonSchema | undefined): unknown[] {
  const { properties = {} } = (parameters ?? {}) as { properties?: Record<string, JsonSchema> };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: place === 'path',
    ...(description !== undefined && { description }),
    schema,
  }));
}

function answersOf(route: Route): Record<string, unknown> {
  return Object.fromEntries(route.answers.map((answer) => [answer.status, answerOf(answer)]));
}

function answerOf({ description, content: what, headers }: AnswerSpec<string>) {
  return {
    description,
    ...(headers && {
      headers: Object.fromEntries(headers.map((name) => [name, HEADERS[name as keyof typeof HEADERS]])),
    }),
    ...(what && {
      content: 'schema' in what ? content(what) : { [what.mediaType]: {} },
    }),
  };
}

/** One answer for each status, with an example of each code under it. */
function problemsOf(route: Route): Record<string, unknown> {
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

function content({ schema, example }: { readonly schema: string; readonly example?: unknown }) {
  return {
    'application/json': {
      schema: { $ref: SCHEMA_PREFIX + schema },
      ...(example !== undefined && { examples: { usual: { value: example } } }),
    },
  };
}

/** All but those of parameters, which stand with their operations, one by one. */
function componentSchemas(routes: readonly Route[], schemas: JsonSchemas): JsonSchemas {
  const parameters = new Set<string | undefined>(routes.flatMap(({ params, query }) => [params, query]));
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => !parameters.has(name)));
}
