import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Target } from './attack.ts';
import type { AttackerNews, StrikeOrder } from './attacker.ts';
import type { Outcome } from './outcome.ts';

const ATTACKER = fileURLToPath(new URL('./attacker.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));

/** A process that strikes once. */
export class Attacker {
  readonly #child: ChildProcess;
  /** Rejects when the process dies before it has told its outcome. */
  readonly #death: Promise<never>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#death = once(child, 'exit').then(() => {
      throw new Error('the attacker died before it had told what came of it');
    });
    this.#death.catch(() => undefined);
  }

  /** Resolves when it has loaded what it needs: from then on it takes no more of the cores than its strikes do. */
  static async start(): Promise<Attacker> {
    const attacker = new Attacker(fork(ATTACKER, { cwd: ROOT, execArgv: ['--import', 'tsx'] }));
    await attacker.#news();
    return attacker;
  }

  async strike(name: string, target: Target): Promise<Outcome> {
    const order: StrikeOrder = { name, target };
    this.#child.send(order);
    try {
      const news = await this.#news();
      if (news === 'up') throw new Error('an attacker is up once');
      return new Map(news.outcome);
    } finally {
      if (this.#child.connected) this.#child.disconnect();
    }
  }

  async #news(): Promise<AttackerNews> {
    const [news] = (await Promise.race([once(this.#child, 'message'), this.#death])) as [AttackerNews];
    return news;
  }
}
