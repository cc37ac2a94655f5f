import type { ReaderLog } from '../../../../ports.ts';
import { turn } from './leaping-clock.ts';

type Method = keyof ReaderLog;
type Answer<M extends Method> = Awaited<ReturnType<ReaderLog[M]>>;

/** Stands between a pod and its log: knows what is being read, can keep an answer back, or change it. */
export class ReaderProbe {
  readonly calls: { readonly method: Method; readonly args: readonly unknown[] }[] = [];
  #pending = new Set<Promise<unknown>>();
  readonly #gates = new Map<Method, Promise<void>>();
  readonly #changes = new Map<Method, (answer: never, args: readonly unknown[]) => unknown>();

  wrap = (reader: ReaderLog): ReaderLog =>
    new Proxy(reader, {
      get: (target, name) => {
        const method = name as Method;
        const real = target[method] as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => this.#read(method, args, () => real.apply(target, args));
      },
    });

  /** Keeps the answers to `method` back until the function that it returns is called. */
  hold(method: Method): () => void {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#gates.set(method, gate);
    return () => {
      this.#gates.delete(method);
      release();
    };
  }

  /** Changes answers until `change` is taken back. */
  change<M extends Method>(
    method: M,
    change: (answer: Answer<M>, args: readonly unknown[]) => Answer<M>,
  ): () => void {
    this.#changes.set(method, change);
    return () => void this.#changes.delete(method);
  }

  countOf(method: Method): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  /** Waits until nothing is being read, nor begins to be as its consequence. */
  async idle(): Promise<void> {
    for (;;) {
      await Promise.all(this.#pending);
      await turn();
      if (this.#pending.size === 0) return;
    }
  }

  #read(method: Method, args: unknown[], read: () => Promise<unknown>): Promise<unknown> {
    this.calls.push({ method, args });
    const answered = this.#answer(method, args, read);
    const settled = answered.then(
      () => undefined,
      () => undefined,
    );
    this.#pending.add(settled);
    void settled.then(() => this.#pending.delete(settled));
    return answered;
  }

  async #answer(method: Method, args: unknown[], read: () => Promise<unknown>): Promise<unknown> {
    const answer = await read();
    await this.#gates.get(method);
    const change = this.#changes.get(method);
    return change === undefined ? answer : change(answer as never, args);
  }
}
