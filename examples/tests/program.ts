import { TEST_JWT } from '@sanctum/messaging/tests/support/tokens';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Makes `login` of the examples issue tokens that the pods of tests accept. */
export const LOGIN_ENV = {
  JWT_ISSUER: TEST_JWT.issuer,
  JWT_AUDIENCE: TEST_JWT.audience,
  JWT_SECRET: TEST_JWT.secret,
};

/** An example, run as its README says. */
export class Program {
  /** What it printed on both outputs. */
  text = '';
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Set<() => void>();

  constructor(
    file: string,
    { args = [], env, cwd = ROOT }: { args?: string[]; env: Readonly<Record<string, string>>; cwd?: string },
  ) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
      cwd,
      env: { ...process.env, ...LOGIN_ENV, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#exited = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.text += text;
        for (const look of this.#waiting) look();
      });
    }
  }

  /** Waits until it has printed this; rejects where it ends before. */
  async printed(pattern: RegExp): Promise<RegExpMatchArray> {
    let look = (): void => undefined;
    const found = new Promise<RegExpMatchArray>((resolve) => {
      look = () => {
        const match = pattern.exec(this.text);
        if (match !== null) resolve(match);
      };
    });
    this.#waiting.add(look);
    look();
    const ended = this.#exited.then(() =>
      Promise.reject(new Error(`it ended before ${pattern}: ${this.text}`)),
    );
    return Promise.race([found, ended]).finally(() => this.#waiting.delete(look));
  }

  /** Types a line. */
  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Waits for its end; returns the exit code, or the signal that ended it. */
  async ended(): Promise<number | string | null> {
    await this.#exited;
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string | null> {
    this.#child.kill(signal);
    return this.ended();
  }
}
