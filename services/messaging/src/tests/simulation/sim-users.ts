import type { IntakeOutcome } from '../../intake/intake.ts';
import { payloadHash } from '../history/payload-hash.ts';
import type { StepOf } from './scenario.ts';
import type { SimPod } from './sim-pod.ts';
import type { SimWorld } from './sim-world.ts';

/** Attempts at one message, until somebody says what became of it. */
const ATTEMPTS_MAX = 8;
const RETRY_MS = 400;
/** Owners ask again so many times where nobody knows what became of a change. */
const CHANGE_ATTEMPTS_MAX = 3;

/** What users do by HTTP: each call goes to some pod, and what is not answered is asked again of another one. */
export class SimUsers {
  /** Calls that are not over. */
  underWay = 0;
  /** Messages that nobody has answered for, each with the calls about it. */
  readonly #unanswered = new Map<string, number>();
  readonly #world: SimWorld;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  isUnderWay(messageId: string | undefined): boolean {
    return messageId !== undefined && (this.#unanswered.get(messageId) ?? 0) > 0;
  }

  post(step: StepOf<'post'>): void {
    const { random } = this.#world;
    const conversationId = this.#world.scenario.conversations[step.conversation]!.id;
    const ciphertext = Buffer.from(Array.from({ length: step.size }, () => random.integer(0, 255))).toString(
      'base64',
    );
    const draft = { conversationId, messageId: random.uuid(), sender: step.user, ciphertext };
    for (let n = 0; n < (step.twice ? 2 : 1); n++) this.#during(() => this.#postUntilAnswered(draft));
  }

  change(step: StepOf<'change'>): void {
    const { id: conversationId, owner } = this.#world.scenario.conversations[step.conversation]!;
    const by = step.byOwner ? owner : step.user;
    this.#during(() => this.#changeUntilAnswered(step.change, { conversationId, by, userId: step.user }));
  }

  async #postUntilAnswered(draft: Parameters<SimPod['post']>[0]): Promise<void> {
    const calls = (change: number) => (this.#unanswered.get(draft.messageId) ?? 0) + change;
    this.#unanswered.set(draft.messageId, calls(1));
    await this.#post(draft);
    this.#unanswered.set(draft.messageId, calls(-1));
  }

  async #post(draft: Parameters<SimPod['post']>[0]): Promise<void> {
    const { history, random, clock } = this.#world;
    const { conversationId, messageId, sender, ciphertext } = draft;
    const hash = payloadHash({ ciphertext, sender });
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const pod = this.#world.pickPod();
      if (pod !== undefined) {
        const post = random.uuid();
        const place = { pod: pod.name, conversationId, messageId, hash, sender };
        history.append({ type: 'post', post, process: 'world', ...place });
        const outcome = await this.#world.call(pod, () => pod.post(draft));
        if (this.#noteAnswer(post, outcome)) return;
      }
      await clock.sleep(RETRY_MS * (0.5 + random.next()) * (attempt + 1));
    }
  }

  /** False: to be tried again. */
  #noteAnswer(post: string, outcome: IntakeOutcome | undefined): boolean {
    const { history } = this.#world;
    switch (outcome?.kind) {
      case 'accepted':
      case 'duplicate': {
        const { kind, seq, epoch } = outcome;
        history.append({
          type: 'post_ok',
          post,
          seq,
          epoch,
          repeat: kind === 'duplicate' ? true : undefined,
        });
        return true;
      }
      case 'reused':
      case 'not_member':
        history.append({ type: 'post_fail', post, code: outcome.kind });
        return true;
      case 'internal':
        this.#world.complain('answered_internal', 'a POST was answered `internal`');
        return true;
      case 'overloaded':
      case 'unavailable':
      case undefined:
        history.append({ type: 'post_unknown', post, code: outcome?.kind });
        return false;
    }
  }

  async #changeUntilAnswered(
    kind: 'add' | 'remove',
    request: { conversationId: string; by: string; userId: string },
  ): Promise<void> {
    const { history, random, clock } = this.#world;
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS_MAX; attempt++) {
      const pod = this.#world.pickPod();
      if (pod !== undefined) {
        const change = random.uuid();
        const { conversationId, by, userId } = request;
        const what = { kind, conversationId, userIds: [userId], by };
        history.append({ type: 'membership', phase: 'invoke', change, ...what });
        const outcome = await this.#world.call(pod, () => pod.change(kind, request));
        const done = ['added', 'removed', 'present', 'absent'].includes(outcome?.kind ?? '');
        const phase = outcome === undefined ? 'unknown' : done ? 'ok' : 'fail';
        history.append({ type: 'membership', phase, change, joinedSeq: outcome?.joinedSeq });
        if (outcome !== undefined) return;
      }
      await clock.sleep(RETRY_MS * (attempt + 1));
    }
  }

  #during(work: () => Promise<void>): void {
    this.underWay += 1;
    work()
      .catch((error: unknown) => this.#world.complain('simulation', `a call of a user: ${String(error)}`))
      .finally(() => (this.underWay -= 1));
  }
}
