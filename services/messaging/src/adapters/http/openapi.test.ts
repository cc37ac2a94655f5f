import { readFileSync } from 'node:fs';
import { ERROR_CODES } from '@sanctum/protocol';
import { adminSchemas } from '@sanctum/protocol/admin';
import { httpSchemas } from '@sanctum/protocol/schemas';
import { describe, expect, it } from 'vitest';
import { adminOpenapi } from './admin/admin-openapi.ts';
import { adminRouteList } from './admin/admin-operations.ts';
import { openapi } from './openapi.ts';
import { isGuarded, routeList } from './routes.ts';

interface Operation {
  operationId: string;
  summary: string;
  security: unknown[];
  parameters?: { name: string; in: string; required: boolean; schema: object }[];
  requestBody?: Body;
  responses: Record<string, { description: string } & Partial<Body>>;
}
interface Body {
  content: Record<string, { schema?: { $ref: string }; examples?: Record<string, { value: unknown }> }>;
}

const operations = operationsOf(openapi);

describe.each([
  { file: 'openapi.json', spec: openapi, routes: routeList, schemas: httpSchemas, guarded: isGuarded },
  {
    file: 'admin-openapi.json',
    spec: adminOpenapi,
    routes: adminRouteList,
    schemas: adminSchemas,
    guarded: () => true,
  },
])('the OpenAPI specification $file', ({ file, spec, routes, schemas, guarded }) => {
  it('is what the folder docs says; scripts/write-specs.ts writes it', () => {
    const written = new URL(`../../../../../docs/${file}`, import.meta.url);
    expect(JSON.parse(readFileSync(written, 'utf8'))).toEqual(JSON.parse(JSON.stringify(spec)));
  });

  it('is of version 3.1, with all that it must have', () => {
    expect(spec.openapi).toBe('3.1.0');
    expect(spec.info).toMatchObject({
      title: expect.any(String) as string,
      version: expect.any(String) as string,
    });
    expect(Object.keys(spec.paths).every((path) => path.startsWith('/'))).toBe(true);
  });

  it('describes every route once', () => {
    expect(
      operationsOf(spec)
        .map(({ operationId }) => operationId)
        .sort(),
    ).toEqual(routes.map(({ operation }) => operation).sort());
  });

  it('resolves each of its references', () => {
    const references = JSON.stringify(spec).matchAll(/"\$ref":"([^"]+)"/g);
    for (const [, reference] of references) {
      const found = reference!
        .replace('#/', '')
        .split('/')
        .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], spec);
      expect(found).toBeTypeOf('object');
    }
  });

  it.each(operationsOf(spec))('$method $path has parameters for its path, and answers', (operation) => {
    const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const parameters = operation.parameters ?? [];
    expect(parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)).toEqual(inPath);
    for (const parameter of parameters) {
      expect(parameter.required).toBe(parameter.in === 'path');
      expect(parameter.schema).toHaveProperty('type');
    }
    expect(operation.summary).not.toBe('');
    expect(operation.security).toEqual(guarded(operation) ? [{ bearer: [] }] : []);
    expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true);
    for (const [status, { description }] of Object.entries(operation.responses)) {
      expect(status).toMatch(/^[245]\d\d$/);
      expect(description).not.toBe('');
    }
  });

  it.each(operationsOf(spec))('$method $path shows examples that are valid', (operation) => {
    const bodies = [operation.requestBody, ...Object.values(operation.responses)];
    for (const { schema, examples = {} } of bodies.flatMap((body) => Object.values(body?.content ?? {}))) {
      if (schema === undefined) continue;
      const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1) as keyof typeof schemas;
      // Answers of the admin API are as large as what they are about: their schemas describe them.
      if (spec === openapi) expect(Object.keys(examples)).not.toEqual([]);
      for (const { value } of Object.values(examples))
        expect(schemas[name].safeParse(value).error).toBeUndefined();
    }
  });
});

describe('the public specification', () => {
  it('names each code that HTTP v1 can answer', () => {
    const named = new Set(operations.flatMap(({ responses }) => Object.values(responses).flatMap(codesOf)));
    const elsewhere = new Set([
      // addresses and methods that no operation has
      'not_found',
      'method_not_allowed',
      // of the WebSocket and the admin server
      'subprotocol_required',
      'bad_frame',
      'unknown_type',
      'scope_required',
    ]);
    expect(ERROR_CODES.filter((code) => !named.has(code) && !elsewhere.has(code))).toEqual([]);
    expect([...elsewhere].filter((code) => named.has(code))).toEqual([]);
  });

  it('has queries with integers where integers are meant', () => {
    const history = operations.find(({ operationId }) => operationId === 'readHistory');
    const query = history!.parameters!.filter((parameter) => parameter.in === 'query');
    expect(query.map(({ name, schema }) => ({ name, ...schema }))).toMatchObject([
      { name: 'after', type: 'integer', minimum: 0, default: 0 },
      { name: 'limit', type: 'integer', minimum: 1, maximum: 500, default: 100 },
    ]);
  });
});

function codesOf({ content = {} }: Partial<Body>): string[] {
  return Object.keys(content['application/problem+json']?.examples ?? {});
}

function operationsOf(spec: { paths: Record<string, Record<string, unknown>> }) {
  return Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...(operation as Operation) })),
  );
}
