import type { Clock, Timer } from '../../clock.ts';
import type { SimRandom } from './sim-random.ts';

/** Steps after which the event loop has its turn: a test runner's own messages go through it. */
const STEPS_PER_TURN = 2000;

interface SimTimer {
  readonly dueMs: number;
  /** Of two that are due at one moment the one set first goes first. */
  readonly order: number;
  action: (() => void) | undefined;
}

/**
 * The world's time: it stands still while anything can run, and then leaps to the next timer.
 *
 * How it knows that nothing can run any more: a step fires one timer and queues a microtask, which queues the next
 * step with `process.nextTick`. Node empties the queue of microtasks, those included that come meanwhile, before it
 * looks at that of ticks again; so when the next step begins there is no microtask left. And microtasks are all there
 * is: whatever waits in a simulated world waits for a promise or for one of these timers, never for a real timer,
 * a socket or a file (simulation.test.ts looks for them in the sources). No turn is counted, nothing is awaited "long
 * enough". Microtasks run in the order in which they were queued, so a seed decides all of it.
 */
export class SimClock implements Clock {
  readonly #random: SimRandom;
  readonly #heap: SimTimer[] = [];
  #wallMs: number;
  #nowMs = 0;
  #order = 0;

  constructor(options: { readonly random: SimRandom; readonly wallMs: number }) {
    this.#random = options.random;
    this.#wallMs = options.wallMs;
  }

  now(): number {
    return Math.floor(this.#wallMs + this.#nowMs);
  }

  monotonic(): number {
    return this.#nowMs;
  }

  random(): number {
    return this.#random.next();
  }

  uuid(): string {
    return this.#random.uuid();
  }

  setTimer(delayMs: number, action: () => void): Timer {
    const timer: SimTimer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, action };
    this.#push(timer);
    return { cancel: () => (timer.action = undefined) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  /** Wall time alone leaps, for everyone whose clock follows it. */
  jump(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Goes on until `isOver`, which is asked before each step, or until `untilMs` of monotonic time. */
  run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      let steps = 0;
      const whenAllIsQuiet = () => process.nextTick(step);
      const step = () => {
        try {
          if (isOver() || !this.#fireNext(untilMs)) return resolve();
        } catch (error) {
          return reject(asError(error));
        }
        if (++steps % STEPS_PER_TURN === 0) setImmediate(step);
        else queueMicrotask(whenAllIsQuiet);
      };
      queueMicrotask(whenAllIsQuiet);
    });
  }

  /** False: nothing is due by then, and it is that late now. */
  #fireNext(untilMs: number): boolean {
    for (;;) {
      const timer = this.#heap[0];
      if (timer === undefined || timer.dueMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#pop();
      if (timer.action === undefined) continue;
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.action();
      return true;
    }
  }

  #push(timer: SimTimer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: SimTimer, b: SimTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** `Clock.sleep` by a clock's own timers. */
export function sleepOn(
  clock: Pick<Clock, 'setTimer'>,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
