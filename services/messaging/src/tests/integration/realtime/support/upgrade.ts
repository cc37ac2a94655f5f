import { request } from 'node:http';
import { SUBPROTOCOL } from '@sanctum/protocol';

export interface UpgradeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

/** Asks for an upgrade and gives back the HTTP answer, whichever it is. A header of null is left out. */
export function askUpgrade(
  httpUrl: string,
  options: { path?: string; headers?: Readonly<Record<string, string | null>> } = {},
): Promise<UpgradeAnswer> {
  const headers: Record<string, string | null> = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.from('0123456789abcdef').toString('base64'),
    'sec-websocket-protocol': SUBPROTOCOL,
    ...options.headers,
  };
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== null)) as Record<
    string,
    string
  >;
  return new Promise((resolve, reject) => {
    const asked = request(httpUrl + (options.path ?? '/ws'), { headers: given, agent: false });
    asked.on('error', reject);
    asked.on('upgrade', (answer, socket) => {
      socket.destroy();
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: undefined });
    });
    asked.on('response', (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
      });
    });
    asked.end();
  });
}
