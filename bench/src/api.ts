import { Agent, request } from 'node:http';
import { SignJWT } from 'jose';
import { JWT } from './stack.ts';

export function token(sub: string): Promise<string> {
  return new SignJWT({ sub })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(JWT.issuer)
    .setAudience(JWT.audience)
    .setExpirationTime('6h')
    .sign(new TextEncoder().encode(JWT.secret));
}

/** The HTTP API over connections that stay open. */
export class Api {
  readonly #url: string;
  readonly #agent: Agent;

  constructor(url: string, sockets = 64) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: sockets });
  }

  async createConversation(bearer: string, members: readonly string[]): Promise<string> {
    const { status, body } = await this.#send('/v1/conversations', bearer, { members });
    if (status !== 201) throw new Error(`creating a conversation: ${status} ${body}`);
    return (JSON.parse(body) as { conversation_id: string }).conversation_id;
  }

  /** The answer's status. */
  async post(bearer: string, conversationId: string, messageId: string, ciphertext: string): Promise<number> {
    const path = `/v1/conversations/${conversationId}/messages`;
    return (await this.#send(path, bearer, { message_id: messageId, ciphertext })).status;
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(path: string, bearer: string, content: unknown): Promise<{ status: number; body: string }> {
    const payload = JSON.stringify(content);
    return new Promise((resolve, reject) => {
      const sent = request(
        this.#url + path,
        {
          method: 'POST',
          agent: this.#agent,
          headers: {
            authorization: `Bearer ${bearer}`,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(payload),
          },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
          );
          answer.on('error', reject);
        },
      );
      sent.on('error', reject);
      sent.end(payload);
    });
  }
}
