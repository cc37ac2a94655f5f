import { CursorBook, type WebSocketConstructor } from '@sanctum/client';
import type { ClientFrame, CursorEntry, ServerFrame } from '@sanctum/protocol';
import { WebSocket } from 'ws';
import { ConnectionRecorder } from '../history/connection-recorder.ts';
import type { History } from '../history/history.ts';
import { payloadHash } from '../history/payload-hash.ts';

export interface RecordedDevice {
  readonly history: History;
  /** Unique in the run, over restarts too. */
  readonly name: string;
  readonly userId: string;
  readonly process: string;
  readonly onOpen: () => void;
  readonly onGoaway: () => void;
}

/** Of this process, whatever was closed and opened again in between. */
let connections = 0;
let posts = 0;

/** A WebSocket class whose every connection is written into the history, from outside of the client. */
export function recordingWebSocket(device: RecordedDevice): WebSocketConstructor {
  const { history, name, userId, process, onOpen, onGoaway } = device;
  return class extends WebSocket {
    readonly #recorder: ConnectionRecorder;
    /** What the rule makes of the frames of this connection. */
    #book = new CursorBook();
    #epoch: number | undefined;
    readonly #cursors: CursorEntry[] = [];

    constructor(url: string, protocols: string[]) {
      super(url, protocols, { perMessageDeflate: false });
      onOpen();
      const connection = `${process}/${name}/${++connections}`;
      this.#recorder = new ConnectionRecorder(history, {
        connection,
        client: name,
        userId,
        process,
        pod: 'front',
      });
      this.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as ServerFrame;
        // Before the client gets it; after it was closed nothing counts.
        if (this.readyState === WebSocket.OPEN) this.#recorder.received(frame, this.#book.apply(frame));
        if (frame.type === 'goaway') onGoaway();
      });
      this.on('close', (code) => this.#recorder.closed(code));
    }

    override send(data: string): void {
      const frame = JSON.parse(data) as ClientFrame;
      this.#follow(frame);
      this.#recorder.sent(frame);
      super.send(data);
    }

    #follow(frame: ClientFrame): void {
      if (frame.type !== 'hello' && frame.type !== 'cursors') return;
      if (frame.type === 'hello') this.#epoch = frame.epoch;
      this.#cursors.push(...(frame.cursors ?? []));
      if (frame.more === true) return;
      const conversations = this.#cursors.map(([conversationId, cursor]) => ({ conversationId, cursor }));
      this.#book = new CursorBook({ epoch: this.#epoch, conversations });
    }
  };
}

/** A `fetch` that writes every POST of a message into the history. */
export function recordingFetch({ history, name, userId, process }: RecordedDevice): typeof fetch {
  return async (input, init) => {
    const address = /\/v1\/conversations\/([^/]+)\/messages$/.exec(input as string);
    if (address === null || init?.method !== 'POST') return fetch(input, init);
    const body = JSON.parse(init.body as string) as {
      message_id: string;
      ciphertext: string;
      encryption?: object;
    };
    const { message_id: messageId, ciphertext, encryption } = body;
    const post = `${process}/${name}/post-${++posts}`;
    const hash = payloadHash({ ciphertext, encryption, sender: userId });
    const conversationId = address[1]!;
    history.append({
      type: 'post',
      post,
      process,
      pod: 'front',
      conversationId,
      messageId,
      hash,
      sender: userId,
    });
    let response: Response;
    let answer: { seq: number; epoch: number; code?: string };
    try {
      response = await fetch(input, init);
      answer = (await response.clone().json()) as typeof answer;
    } catch (error) {
      history.append({ type: 'post_unknown', post });
      throw error;
    }
    const code = answer.code ?? String(response.status);
    if (response.ok) {
      const repeat = response.headers.get('idempotent-replay') === 'true' ? true : undefined;
      history.append({ type: 'post_ok', post, seq: answer.seq, epoch: answer.epoch, repeat });
    } else if (response.status < 500) history.append({ type: 'post_fail', post, code });
    else history.append({ type: 'post_unknown', post, code });
    return response;
  };
}
