import { type AddressInfo, createServer } from 'node:net';
import { onTestFinished } from 'vitest';

/** URL of a server that refuses every session, as a PostgreSQL does with this SQLSTATE. */
export function refusingPostgres(sqlState: string): Promise<string> {
  return scriptedPostgres(message('E', `SFATAL\0VFATAL\0C${sqlState}\0Mrefused\0\0`));
}

/** URL of a server that lets everybody in, and says that it is a standby. */
export function standbyPostgres(): Promise<string> {
  return scriptedPostgres(Buffer.concat([message('R', '\0\0\0\0'), message('S', 'in_hot_standby\0on\0')]));
}

async function scriptedPostgres(answer: Buffer): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `postgres://ops:secret@127.0.0.1:${(server.address() as AddressInfo).port}/sanctum`;
}

/** A message of the wire: its kind, and its length, which counts itself. */
function message(kind: string, body: string): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, Buffer.from(body)]);
}
