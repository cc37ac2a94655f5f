import { randomUUID } from 'node:crypto';

/*
 * The sessions of docs/protocol.md, a line a step:
 *
 *   # a remark
 *   OPEN as bob                        a WebSocket with bob's token in `Authorization`; `OPEN` alone: without one
 *   OPEN as op with messaging:operate  … with a scope
 *   OPEN2 as bob on pod 2              a second one, on another pod; its lines begin with C2 and S2
 *   C: {…}   S: {…}                    a frame of the client, of the server
 *   C: close 1000   S: close 4500      … and the end, as the one or the other has it
 *   POST /v1/… as alice {…}            an HTTP request; the line behind it is its answer: `201 {…}`
 *   SQL …                              a statement of an operator, once nothing is pending
 *   SIGTERM                            the first pod begins to drain
 *
 * `<uuid-1>`, `<time-1>`, `<ms-1>` stand for a value that is known from its first use on; `<token-bob>` is a token.
 */

export type Step =
  | {
      readonly kind: 'open';
      readonly socket: string;
      readonly user?: string;
      readonly scope?: string;
      readonly pod: number;
    }
  | { readonly kind: 'send' | 'receive'; readonly socket: string; readonly frame: unknown }
  | {
      readonly kind: 'close' | 'closed';
      readonly socket: string;
      readonly code: number;
      readonly reason?: unknown;
    }
  | {
      readonly kind: 'request';
      readonly method: string;
      readonly path: string;
      readonly user: string;
      readonly body?: unknown;
    }
  | { readonly kind: 'answer'; readonly status: number; readonly body?: unknown }
  | { readonly kind: 'sql'; readonly text: string }
  | { readonly kind: 'sigterm' };

export interface Line {
  readonly text: string;
  readonly step: Step;
}

export interface Session {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** The blocks fenced as `session`, each with the heading above it. */
export function sessionsOf(markdown: string): Session[] {
  const sessions: Session[] = [];
  let title = '';
  let block: Line[] | undefined;
  for (const text of markdown.split('\n')) {
    if (block === undefined) {
      if (text.startsWith('#')) title = text.replace(/^#+ /, '');
      if (text === '```session') block = [];
    } else if (text === '```') {
      sessions.push({ title, lines: block });
      block = undefined;
    } else if (text !== '' && !text.startsWith('# ')) {
      block.push({ text, step: stepOf(text) });
    }
  }
  return sessions;
}

function stepOf(text: string): Step {
  if (text === 'SIGTERM') return { kind: 'sigterm' };
  const open = /^OPEN(\d?)(?: as (\S+))?(?: with (\S+))?(?: on pod (\d))?$/.exec(text);
  if (open !== null) {
    const [, socket = '', user, scope, pod = '1'] = open;
    return { kind: 'open', socket, pod: Number(pod), ...(user && { user }), ...(scope && { scope }) };
  }
  const frame = /^([CS])(\d?): (?:close (\d{4})(?: (\{.*\}))?|(\{.*\}))$/.exec(text);
  if (frame !== null) {
    const [, side, socket = '', code, reason, json] = frame;
    if (json !== undefined)
      return { kind: side === 'C' ? 'send' : 'receive', socket, frame: parseJson(json) };
    const kind = side === 'C' ? 'close' : 'closed';
    return { kind, socket, code: Number(code), ...(reason !== undefined && { reason: parseJson(reason) }) };
  }
  const request = /^(GET|POST|PUT|DELETE) (\S+) as (\S+)(?: (\{.*\}))?$/.exec(text);
  if (request !== null) {
    const [, method, path, user, body] = request as unknown as [string, string, string, string, string?];
    return { kind: 'request', method, path, user, ...(body !== undefined && { body: parseJson(body) }) };
  }
  const answer = /^(\d{3})(?: (\{.*\}))?$/.exec(text);
  if (answer !== null) {
    const [, status, body] = answer;
    return { kind: 'answer', status: Number(status), ...(body !== undefined && { body: parseJson(body) }) };
  }
  if (text.startsWith('SQL ')) return { kind: 'sql', text: text.slice(4) };
  throw new Error(`no step of a session: ${text}`);
}

/** JSON in which a placeholder may also stand for a number, without quotes. */
function parseJson(text: string): unknown {
  return JSON.parse(text.replaceAll(/(?<=[:,[])<([a-z]+-\w+)>/g, '"<$1>"'));
}

const PLACEHOLDER = /<((uuid|time|ms|token)-(\w+))>/g;
const ALONE = /^<((uuid|time|ms)-\w+)>$/;
const FITS: Readonly<Record<string, (value: unknown) => boolean>> = {
  uuid: (value) => typeof value === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value),
  time: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value),
  ms: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
};

/** What the placeholders of one session stand for. */
export class Bindings {
  readonly #values = new Map<string, unknown>();
  readonly #tokenOf: (user: string) => string;

  constructor(tokenOf: (user: string) => string) {
    this.#tokenOf = tokenOf;
  }

  /** A text that is to be sent; an id that has no value yet is made up. */
  fill(text: string): string {
    return text.replaceAll(PLACEHOLDER, (all, name: string, kind: string, rest: string) => {
      if (kind === 'token') return this.#tokenOf(rest);
      if (!this.#values.has(name) && kind === 'uuid') this.#values.set(name, randomUUID());
      if (!this.#values.has(name)) throw new Error(`${all} is used before it is known`);
      return String(this.#values.get(name));
    });
  }

  fillJson(value: unknown): string {
    return this.fill(JSON.stringify(value));
  }

  /** What was to come, with what came put in for placeholders of the right kind; to be compared with `actual`. */
  expected(expected: unknown, actual: unknown): unknown {
    if (Array.isArray(expected)) {
      return expected.map((item, index) => this.expected(item, (actual as unknown[] | undefined)?.[index]));
    }
    if (typeof expected === 'object' && expected !== null) {
      const fields = (actual ?? {}) as Record<string, unknown>;
      return Object.fromEntries(
        Object.entries(expected).map(([name, value]) => [name, this.expected(value, fields[name])]),
      );
    }
    const [, name, kind] = (typeof expected === 'string' ? ALONE.exec(expected) : null) ?? [];
    if (name === undefined || kind === undefined) return expected;
    if (!this.#values.has(name) && FITS[kind]!(actual)) this.#values.set(name, actual);
    return this.#values.has(name) ? this.#values.get(name) : expected;
  }
}
