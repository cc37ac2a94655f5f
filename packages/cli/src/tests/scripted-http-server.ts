import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenCall {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
}

export interface ScriptedAnswer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  /** Cuts the connection instead. */
  readonly cut?: true;
}

/** An HTTP server on loopback that gives the next answer of its script to each call. */
export class ScriptedHttpServer {
  readonly calls: SeenCall[] = [];
  readonly #script: ScriptedAnswer[];
  readonly #server: Server;

  private constructor(script: readonly ScriptedAnswer[]) {
    this.#script = [...script];
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { url: path = '', headers } = request;
        const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>;
        this.calls.push({ path, authorization: headers.authorization, body });
        const answer = this.#script.shift() ?? { status: 500, body: 'the script has ended' };
        if (answer.cut) return void response.destroy();
        response.writeHead(answer.status, { connection: 'close', ...answer.headers });
        response.end(JSON.stringify(answer.body));
      });
    });
  }

  static async start(...script: readonly ScriptedAnswer[]): Promise<ScriptedHttpServer> {
    const scripted = new ScriptedHttpServer(script);
    await new Promise<void>((resolve) => scripted.#server.listen(0, '127.0.0.1', resolve));
    return scripted;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
