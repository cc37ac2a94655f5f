import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

/** One bash, as a person has it open: commands one after another, what each leaves behind stays for the next. */
export class PersonAtAShell {
  readonly #bash: ChildProcess;
  #output = '';
  #heard: () => void = () => undefined;

  /** Nothing of our own environment but these. */
  constructor(options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> }) {
    this.#bash = spawn('bash', ['--noprofile', '--norc'], { ...options, detached: true, stdio: 'pipe' });
    for (const stream of [this.#bash.stdout, this.#bash.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#heard();
      });
    }
    this.#bash.once('exit', () => this.#heard());
  }

  /** Everything that was printed, also by what runs in the background. */
  get output(): string {
    return this.#output;
  }

  /** Types a command and waits for its end; rejects where it does not exit 0. What came back is what was printed. */
  async type(command: string): Promise<string> {
    const mark = randomUUID();
    const from = this.#output.length;
    this.#bash.stdin?.write(`${command}\necho "${mark} $?"\n`);
    for (;;) {
      const end = new RegExp(`${mark} (\\d+)\\n`).exec(this.#output.slice(from));
      if (end !== null) {
        const printed = this.#output.slice(from, from + end.index);
        if (end[1] === '0') return printed;
        throw new Error(`${command}\nexited ${end[1]} and printed\n${printed}`);
      }
      if (this.#bash.exitCode !== null)
        throw new Error(`the shell ended in ${command}\n${this.#output.slice(from)}`);
      await new Promise<void>((resolve) => (this.#heard = resolve));
    }
  }

  /** Ends the shell and what it started: they are one process group, which nobody else is in. */
  async leave(): Promise<void> {
    if (this.#bash.exitCode !== null || this.#bash.pid === undefined) return;
    const exited = once(this.#bash, 'close');
    process.kill(-this.#bash.pid, 'SIGTERM');
    this.#bash.stdin?.end();
    await exited;
  }
}
