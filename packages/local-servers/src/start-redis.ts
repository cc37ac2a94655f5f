import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { freePort } from './free-port.ts';
import { ensureRedis, type RedisBinaries } from './redis-binaries.ts';
import { ServerProcess } from './server-process.ts';

const ANSWER_TIMEOUT_MS = 2_000;

export interface RedisOptions {
  /** Where it works and, with `persist`, keeps its data; its log is `<dir>.log`. */
  dir: string;
  /** Default: a free one, kept over `restart()`. */
  port?: number | undefined;
  /** Default: what `ensureRedis` finds. */
  binaries?: RedisBinaries;
  /** Further arguments of redis-server. */
  args?: string[];
  /** Keeps an append-only file, so that a restart loses nothing. Default: `false`. */
  persist?: boolean;
}

export interface RedisServer {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Of the present process. */
  readonly pid: number;
  /** Settles when the present process has ended, wanted or not. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
  /** `SIGSTOP` freezes it, `SIGCONT` thaws it, `SIGKILL` is a host that died. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops it where it runs, and starts it on the same port. */
  restart(): Promise<void>;
}

/** Starts Redis (or Valkey) on the loopback addresses only. It ends when this process does. */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const dir = path.resolve(options.dir);
  await mkdir(dir, { recursive: true });
  const binaries = options.binaries ?? (await ensureRedis({ progress: () => undefined }));
  const port = options.port ?? (await freePort());
  const settings = {
    port: String(port),
    // The minus sign lets a machine without IPv6 start it too.
    bind: '127.0.0.1 -::1',
    dir,
    save: '',
    appendonly: options.persist === true ? 'yes' : 'no',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const server = new ServerProcess({
    name: 'Redis',
    command: { file: binaries.server, args: [...args, ...(options.args ?? [])] },
    port,
    logFile: `${dir}.log`,
    stopSignal: 'SIGTERM',
    isReady: () => answersPing(port),
  });
  await server.start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid;
    },
    get ended() {
      return server.ended;
    },
    stop: () => server.stop(),
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
  };
}

/** Redis answers `-LOADING` until its data is read: only a plain pong counts. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.once('data', (reply) => {
      socket.destroy();
      resolve(reply.toString().startsWith('+PONG'));
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
