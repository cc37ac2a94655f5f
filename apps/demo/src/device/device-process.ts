import type { Command, Question, Report } from './device-messages.ts';

/** The worker that a device is, seen from the page. */
export class DeviceProcess {
  readonly #worker: Worker;
  readonly #questions = new Map<number, (error: string | undefined) => void>();
  #asked = 0;

  constructor(onReports: (reports: readonly Report[]) => void) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Report[]>) => {
      for (const report of data) {
        if (report.kind !== 'answer') continue;
        this.#questions.get(report.id)?.(report.error);
        this.#questions.delete(report.id);
      }
      onReports(data);
    });
    this.#worker.addEventListener('error', ({ message }) => {
      onReports([{ kind: 'trouble', text: `The device has failed: ${message}` }]);
    });
  }

  tell(command: Exclude<Command, { kind: 'ask' }>): void {
    this.#worker.postMessage(command);
  }

  /** Resolves once it is done. Rejects where it was refused, or could not be asked. */
  ask(question: Question): Promise<void> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#questions.set(id, (error) => (error === undefined ? resolve() : reject(new Error(error))));
      this.#worker.postMessage({ kind: 'ask', id, question } satisfies Command);
    });
  }

  /** At once, in the middle of whatever it does. */
  kill(): void {
    this.#worker.terminate();
    for (const answer of this.#questions.values()) answer('the device was killed');
  }
}
