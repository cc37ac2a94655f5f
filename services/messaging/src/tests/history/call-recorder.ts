import type { HttpAnswer, HttpClient, MessageToPost } from '../support/http-client.ts';
import type { History } from './history.ts';
import { payloadHash } from './payload-hash.ts';

/** Appends the calls of one process: POSTs and changes of membership, with what became of each. */
export class CallRecorder {
  readonly #history: History;
  readonly #process: string;
  #calls = 0;

  constructor(history: History, process: string) {
    this.#history = history;
    this.#process = process;
  }

  /** Posts a message. Rejects where there is no answer, as `postMessage` does. */
  async post(
    http: HttpClient,
    call: {
      pod: string;
      sender: string;
      conversationId: string;
      message: Required<Pick<MessageToPost, 'messageId' | 'ciphertext'>> & MessageToPost;
    },
  ) {
    const { pod, sender, conversationId, message } = call;
    const { messageId, ciphertext, encryption } = message;
    const post = this.#id();
    const hash = payloadHash({ ciphertext, encryption, sender });
    this.#history.append({
      type: 'post',
      post,
      process: this.#process,
      pod,
      conversationId,
      messageId,
      hash,
      sender,
    });
    const answer = await this.#answered(http.postMessage(conversationId, message), () =>
      this.#history.append({ type: 'post_unknown', post }),
    );
    const { status, body } = answer;
    if (status === 200 || status === 201) {
      const repeat = answer.headers['idempotent-replay'] === 'true' ? true : undefined;
      this.#history.append({ type: 'post_ok', post, seq: body.seq, epoch: body.epoch, repeat });
    } else if (status < 500) this.#history.append({ type: 'post_fail', post, code: codeOf(answer) });
    else this.#history.append({ type: 'post_unknown', post, code: codeOf(answer) });
    return answer;
  }

  createConversation(http: HttpClient, by: string, members: readonly string[], conversationId: string) {
    const userIds = [...new Set([by, ...members])];
    return this.#change({ kind: 'create', conversationId, userIds, by }, () =>
      http.createConversation(members, conversationId),
    );
  }

  putMember(http: HttpClient, by: string, conversationId: string, userId: string) {
    return this.#change(
      { kind: 'add', conversationId, userIds: [userId], by },
      () => http.putMember(conversationId, userId),
      ({ body }) => body.joined_seq,
    );
  }

  deleteMember(http: HttpClient, by: string, conversationId: string, userId: string) {
    return this.#change({ kind: 'remove', conversationId, userIds: [userId], by }, () =>
      http.deleteMember(conversationId, userId),
    );
  }

  async #change<T>(
    what: {
      kind: 'create' | 'add' | 'remove';
      conversationId: string;
      userIds: readonly string[];
      by: string;
    },
    call: () => Promise<HttpAnswer<T>>,
    joinedSeqOf: (answer: HttpAnswer<T>) => number | undefined = () => undefined,
  ): Promise<HttpAnswer<T>> {
    const change = this.#id();
    this.#history.append({ type: 'membership', phase: 'invoke', change, ...what });
    const answer = await this.#answered(call(), () =>
      this.#history.append({ type: 'membership', phase: 'unknown', change }),
    );
    const phase = answer.status < 300 ? 'ok' : answer.status < 500 ? 'fail' : 'unknown';
    const joinedSeq = phase === 'ok' ? joinedSeqOf(answer) : undefined;
    this.#history.append({ type: 'membership', phase, change, joinedSeq });
    return answer;
  }

  async #answered<T>(call: Promise<T>, unanswered: () => void): Promise<T> {
    try {
      return await call;
    } catch (error) {
      unanswered();
      throw error;
    }
  }

  #id(): string {
    this.#calls += 1;
    return `${this.#process}-${this.#calls}`;
  }
}

function codeOf({ status, problem }: HttpAnswer<unknown>): string {
  return problem?.code ?? String(status);
}
