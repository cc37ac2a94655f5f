import { Readable } from 'node:stream';
import type { Shell } from '../shell.ts';
import { ManualClock } from './manual-clock.ts';

export interface TestShellOptions {
  readonly stdin?: string;
  readonly env?: Record<string, string>;
  /** Whether standard input and both outputs are a terminal. */
  readonly isTTY?: boolean;
  readonly clock?: ManualClock;
}

/** A shell that keeps what is printed. */
export class TestShell implements Shell {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: { readonly isTTY: boolean; readonly columns: number; write(text: string): void };
  readonly stderr: TestShell['stdout'];
  readonly env: Record<string, string>;
  readonly clock: ManualClock;
  out = '';
  err = '';
  #interrupt: () => void = () => undefined;
  #waiting: { isMet: () => boolean; resolve: () => void }[] = [];

  constructor({ stdin = '', env = {}, isTTY = false, clock = new ManualClock() }: TestShellOptions = {}) {
    this.stdin = Object.assign(Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]), { isTTY });
    this.stdout = { isTTY, columns: 100, write: (text) => this.#print(() => (this.out += text)) };
    this.stderr = { isTTY, columns: 100, write: (text) => this.#print(() => (this.err += text)) };
    this.env = env;
    this.clock = clock;
  }

  /** What was printed on standard output, one JSON value a line. */
  get values(): Record<string, unknown>[] {
    return this.out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  }

  onInterrupt(listener: () => void): () => void {
    this.#interrupt = listener;
    return () => (this.#interrupt = () => undefined);
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#interrupt();
  }

  /** Waits until what was printed meets a condition; looks at each print. */
  until(isMet: (shell: this) => boolean): Promise<void> {
    if (isMet(this)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isMet: () => isMet(this), resolve }));
  }

  #print(print: () => void): void {
    print();
    this.#waiting = this.#waiting.filter(({ isMet, resolve }) => !isMet() || resolve());
  }
}
