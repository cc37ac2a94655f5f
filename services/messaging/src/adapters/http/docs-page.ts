import { createHash } from 'node:crypto';
import type { asyncapi as AsyncApi } from './asyncapi.ts';
import type { openapi as OpenApi } from './openapi.ts';

const STYLE = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { overflow: auto; padding: .6rem .8rem; border-radius: 6px; background: color-mix(in srgb, currentColor 7%, transparent); }
details { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); padding: .5rem 0; }
summary { cursor: pointer; }
summary code:first-child { font-weight: 700; display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; }
`;

interface Answer {
  readonly description: string;
}

interface HttpOperation {
  readonly summary: string;
  readonly security: readonly unknown[];
  readonly parameters?: readonly {
    name: string;
    in: string;
    required: boolean;
    schema: unknown;
    description?: string;
  }[];
  readonly requestBody?: { readonly content: unknown };
  readonly responses: Readonly<Record<string, Answer & { readonly content?: unknown }>>;
}

/**
 * Both specifications as one page, made once. It holds no script and loads nothing, so its policy allows
 * nothing but its own style.
 */
export function docsPage(specs: { openapi: typeof OpenApi; asyncapi: typeof AsyncApi }) {
  const { openapi, asyncapi } = specs;
  const calls = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) =>
      callHtml(method.toUpperCase(), path, operation as HttpOperation),
    ),
  );
  const frames = Object.entries(asyncapi.operations).map(
    ([, operation]) =>
      `<h3>${escape(operation.summary)}</h3>${operation.messages.map(({ $ref }) => frameHtml($ref, asyncapi)).join('')}`,
  );
  const schemas = Object.entries(openapi.components.schemas).map(
    ([name, schema]) =>
      `<details id="${escape(name)}"><summary><code>${escape(name)}</code></summary>${pre(schema)}</details>`,
  );
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(openapi.info.title)}</title><style>${STYLE}</style></head><body>
<h1>${escape(openapi.info.title)}</h1><p>${escape(openapi.info.description)}</p>
<p>For programs: <a href="/openapi.json">openapi.json</a>, <a href="/asyncapi.json">asyncapi.json</a>.</p>
<h2>HTTP</h2>${calls.join('')}
<h2>WebSocket <code>/ws</code></h2><pre>${escape(asyncapi.info.description)}</pre>${frames.join('')}
<h2>Schemas</h2>${schemas.join('')}
</body></html>
`;
  const styleHash = createHash('sha256').update(STYLE).digest('base64');
  return {
    html,
    contentSecurityPolicy: `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
}

function callHtml(method: string, path: string, operation: HttpOperation): string {
  const parameters = (operation.parameters ?? []).map(
    (parameter) =>
      `<tr><td><code>${escape(parameter.name)}</code> (${parameter.in})</td><td><code>${escape(JSON.stringify(parameter.schema))}</code></td></tr>`,
  );
  const answers = Object.entries(operation.responses).map(
    ([status, answer]) => `<tr><td><code>${status}</code></td><td>${escape(answer.description)}</td></tr>`,
  );
  const body =
    operation.requestBody === undefined ? '' : `<h4>Body</h4>${pre(operation.requestBody.content)}`;
  const success = Object.entries(operation.responses).find(
    ([status, { content }]) => status < '300' && content,
  );
  return (
    `<details><summary><code>${method}</code> <code>${escape(path)}</code> ${escape(operation.summary)}</summary>` +
    `<p>${operation.security.length > 0 ? 'Needs a bearer token.' : 'Needs no token.'}</p>` +
    (parameters.length > 0 ? `<h4>Parameters</h4><table>${parameters.join('')}</table>` : '') +
    `${body}<h4>Answers</h4><table>${answers.join('')}</table>` +
    `${success ? pre(success[1].content) : ''}</details>`
  );
}

function frameHtml(ref: string, { components }: typeof AsyncApi): string {
  const name = ref.slice(ref.lastIndexOf('/') + 1);
  const { title, summary } = components.messages[name]!;
  return `<details><summary><code>${escape(title ?? name)}</code> ${escape(summary ?? '')}</summary>${pre(components.schemas[name])}</details>`;
}

function pre(value: unknown): string {
  return `<pre>${escape(JSON.stringify(value, null, 2))}</pre>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
