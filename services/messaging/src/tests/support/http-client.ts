import type { Problem } from '@sanctum/protocol';
import type {
  AddedMember,
  ConversationDetail,
  ConversationList,
  CreatedConversation,
  HistoryPage,
  MemberList,
  PostedMessage,
} from '@sanctum/protocol/schemas';
import { randomBytes, randomUUID } from 'node:crypto';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';

export interface HttpAnswer<T> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly text: string;
  /** The body, where it is JSON; what `T` says only where the status says so: see `expectStatus`. */
  readonly body: T;
  /** The body again, where the status is 400 or above. */
  readonly problem: Problem | undefined;
}

export interface HttpRequest {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly rawBody?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the client's own; null for none. */
  readonly token?: string | null;
}

export interface MessageToPost {
  readonly messageId?: string;
  readonly ciphertext?: string;
  readonly encryption?: { scheme: string; key_id?: string };
}

/** The HTTP API for tests, over connections that stay open. */
export class HttpClient {
  readonly #baseUrl: string;
  readonly #token: string | undefined;
  readonly #agent: Agent;

  /** @param baseUrl as `http://127.0.0.1:8083` */
  constructor(baseUrl: string, token?: string, agent = new Agent({ keepAlive: true, maxSockets: 256 })) {
    this.#baseUrl = baseUrl;
    this.#token = token;
    this.#agent = agent;
  }

  /** The same server and connections for another user. */
  as(token: string): HttpClient {
    return new HttpClient(this.#baseUrl, token, this.#agent);
  }

  /** Closes the connections, also for every client made by `as`. */
  close(): void {
    this.#agent.destroy();
  }

  createConversation(members: readonly string[], conversationId?: string) {
    const id = conversationId === undefined ? {} : { conversation_id: conversationId };
    return this.request<CreatedConversation>('POST', '/v1/conversations', { body: { ...id, members } });
  }

  conversations(page: { cursor?: string; limit?: number } = {}) {
    return this.request<ConversationList>('GET', `/v1/conversations${query(page)}`);
  }

  conversation(conversationId: string) {
    return this.request<ConversationDetail>('GET', `/v1/conversations/${conversationId}`);
  }

  members(conversationId: string, page: { cursor?: string; limit?: number } = {}) {
    return this.request<MemberList>('GET', `/v1/conversations/${conversationId}/members${query(page)}`);
  }

  putMember(conversationId: string, userId: string) {
    return this.request<AddedMember>('PUT', memberPath(conversationId, userId));
  }

  deleteMember(conversationId: string, userId: string) {
    return this.request<undefined>('DELETE', memberPath(conversationId, userId));
  }

  /** Posts a message; what is not given is made up. */
  postMessage(conversationId: string, message: MessageToPost = {}) {
    const { messageId = randomUUID(), ciphertext = randomBytes(24).toString('base64'), encryption } = message;
    return this.request<PostedMessage>('POST', `/v1/conversations/${conversationId}/messages`, {
      body: { message_id: messageId, ciphertext, ...(encryption && { encryption }) },
    });
  }

  history(conversationId: string, page: { after?: number; limit?: number } = {}) {
    return this.request<HistoryPage>('GET', `/v1/conversations/${conversationId}/messages${query(page)}`);
  }

  /** Any call. Rejects only where there is no answer. */
  request<T>(method: string, path: string, options: HttpRequest = {}): Promise<HttpAnswer<T>> {
    const { body, token = this.#token } = options;
    const payload = options.rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
    const headers: Record<string, string> = {
      ...(payload !== undefined && {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(payload)),
      }),
      ...(typeof token === 'string' && { authorization: `Bearer ${token}` }),
      ...options.headers,
    };
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        this.#baseUrl + path,
        { method, headers, agent: this.#agent },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('end', () => {
            const status = incoming.statusCode ?? 0;
            resolve(readAnswer<T>(status, incoming.headers, Buffer.concat(chunks).toString()));
          });
        },
      );
      outgoing.on('error', reject);
      // Only with an agent that was given a `timeout`.
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
      outgoing.end(payload);
    });
  }
}

/** The body of an answer that must have one of these statuses; throws, naming the problem, where it has not. */
export function expectStatus<T>(answer: HttpAnswer<T>, ...statuses: readonly number[]): T {
  if (statuses.includes(answer.status)) return answer.body;
  const { code = '', detail = '' } = answer.problem ?? {};
  throw new Error(
    `expected status ${statuses.join(' or ')}, got ${answer.status} ${code} ${detail}`.trimEnd(),
  );
}

function readAnswer<T>(status: number, headers: IncomingHttpHeaders, text: string): HttpAnswer<T> {
  const isJson = /^application\/(?:[a-z]+\+)?json\b/.test(headers['content-type'] ?? '');
  const body: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
  const problem = status >= 400 && isJson ? (body as Problem) : undefined;
  return { status, headers, text, body: body as T, problem };
}

function memberPath(conversationId: string, userId: string): string {
  return `/v1/conversations/${conversationId}/members/${encodeURIComponent(userId)}`;
}

function query(fields: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (given.length === 0) return '';
  const search = new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])));
  return `?${search.toString()}`;
}
