import { once } from 'node:events';
import { SUBPROTOCOL } from '@sanctum/protocol';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../../../support/eventually.ts';
import { HttpClient } from '../../../support/http-client.ts';
import { mintToken } from '../../../support/tokens.ts';
import type { PodAtHand, RealtimeWorld } from './realtime-world.ts';
import { Bindings, type Line, type Session, type Step } from './session-script.ts';

const FRAME_WAIT_MS = 5000;

/** Plays a session of docs/protocol.md against real pods; each line must come true as it stands. */
export async function play(session: Session, world: RealtimeWorld): Promise<void> {
  const player = await Player.of(session, world);
  try {
    for (const line of session.lines) await player.play(line);
    await player.expectNothingMore();
  } finally {
    player.end();
  }
}

class Player {
  readonly #world: RealtimeWorld;
  readonly #tokens: ReadonlyMap<string, string>;
  readonly #bindings: Bindings;
  readonly #sockets = new Map<string, ScriptSocket>();
  #answer: { status: number; body: unknown } | undefined;

  private constructor(world: RealtimeWorld, tokens: ReadonlyMap<string, string>) {
    this.#world = world;
    this.#tokens = tokens;
    this.#bindings = new Bindings((user) => this.#tokenOf(user));
  }

  static async of({ lines }: Session, world: RealtimeWorld): Promise<Player> {
    const tokens = new Map<string, string>();
    for (const { step, text } of lines) {
      const names = Array.from(text.matchAll(/<token-(\w+)>/g), ([, name]) => name!);
      if ((step.kind === 'open' || step.kind === 'request') && step.user !== undefined) names.push(step.user);
      const scope = step.kind === 'open' && step.scope !== undefined ? { scope: step.scope } : {};
      for (const name of names)
        if (!tokens.has(name)) tokens.set(name, await mintToken({ sub: name, ...scope }));
    }
    return new Player(world, tokens);
  }

  async play({ text, step }: Line): Promise<void> {
    switch (step.kind) {
      case 'open':
        return this.#open(step);
      case 'send':
        return this.#socket(step.socket).send(this.#bindings.fillJson(step.frame));
      case 'receive': {
        const frame = await this.#socket(step.socket).next(text);
        return expect(frame, text).toEqual(this.#bindings.expected(step.frame, frame));
      }
      case 'close':
        return this.#socket(step.socket).close(step.code);
      case 'closed': {
        const { code, reason } = await this.#socket(step.socket).closed;
        expect(code, text).toBe(step.code);
        const hint: unknown = reason === '' ? undefined : JSON.parse(reason);
        return expect(hint, text).toEqual(this.#bindings.expected(step.reason, hint));
      }
      case 'request': {
        const http = new HttpClient(this.#pod(1).httpUrl, this.#tokenOf(step.user));
        const path = this.#bindings.fill(step.path);
        const rawBody = step.body === undefined ? {} : { rawBody: this.#bindings.fillJson(step.body) };
        this.#answer = await http.request<unknown>(step.method, path, rawBody);
        return http.close();
      }
      case 'answer':
        expect(this.#answer?.status, text).toBe(step.status);
        return expect(this.#answer?.body, text).toEqual(
          this.#bindings.expected(step.body, this.#answer?.body),
        );
      case 'sql':
        return this.#run(this.#bindings.fill(step.text));
      case 'sigterm':
        void this.#pod(1).stop();
    }
  }

  /** Everything that the server has sent stands in the session. */
  async expectNothingMore(): Promise<void> {
    for (const socket of this.#sockets.values()) expect(await socket.rest()).toEqual([]);
  }

  end(): void {
    for (const socket of this.#sockets.values()) socket.terminate();
  }

  async #open({ socket, user, pod }: Extract<Step, { kind: 'open' }>): Promise<void> {
    const token = user === undefined ? undefined : this.#tokenOf(user);
    while (this.#world.pods.length < pod) await this.#world.startPod();
    this.#sockets.set(socket, await ScriptSocket.open(this.#pod(pod).wsUrl, token));
  }

  /** As the operator, and in one transaction. A row is sent again only once it has been marked as sent. */
  async #run(sql: string): Promise<void> {
    await eventually(async () => {
      const { rows } = await this.#world.sql.query(
        `SELECT FROM messaging.message_outbox WHERE status = 'pending'`,
      );
      expect(rows).toHaveLength(0);
    });
    await this.#world.sql.query(`BEGIN; SET LOCAL ROLE sanctum_operator; ${sql}; COMMIT`);
  }

  #pod(number: number): PodAtHand {
    return this.#world.pods[number - 1]!;
  }

  #socket(name: string): ScriptSocket {
    const socket = this.#sockets.get(name);
    if (socket === undefined) throw new Error(`the session does not open socket ${name}`);
    return socket;
  }

  #tokenOf(user: string): string {
    return this.#tokens.get(user)!;
  }
}

/** A socket whose frames are taken one by one, in the order in which they came. */
class ScriptSocket {
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: WebSocket;
  readonly #frames: unknown[] = [];
  #wanted: ((frame: unknown) => void) | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      const frame: unknown = JSON.parse(data.toString());
      if (this.#wanted === undefined) this.#frames.push(frame);
      else this.#wanted(frame);
    });
  }

  static async open(url: string, token: string | undefined): Promise<ScriptSocket> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, [SUBPROTOCOL], { headers });
    const opened = new ScriptSocket(socket);
    await once(socket, 'open');
    return opened;
  }

  next(awaited: string): Promise<unknown> {
    if (this.#frames.length > 0) return Promise.resolve(this.#frames.shift());
    return new Promise((resolve, reject) => {
      const end = (why: string) => reject(new Error(`${why} instead of ${awaited}`));
      const timer = setTimeout(() => end('nothing came'), FRAME_WAIT_MS);
      void this.closed.then(({ code, reason }) => end(`close ${code} ${reason}`));
      this.#wanted = (frame) => {
        clearTimeout(timer);
        this.#wanted = undefined;
        resolve(frame);
      };
    });
  }

  /** What came and was not taken, once the server has answered all that was sent to it. */
  async rest(): Promise<unknown[]> {
    if (this.#socket.readyState === WebSocket.OPEN) {
      const pong = once(this.#socket, 'pong');
      this.#socket.ping();
      await Promise.race([pong, this.closed]);
    }
    return this.#frames;
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  async close(code: number): Promise<void> {
    this.#socket.close(code);
    await this.closed;
  }

  terminate(): void {
    this.#socket.terminate();
  }
}
