import type { Clock } from '../../clock.ts';
import { asError, type SimClock, sleepOn } from './sim-clock.ts';
import type { SimRandom } from './sim-random.ts';

type Anything = (...given: unknown[]) => unknown;

/**
 * A process: it sees the world's time through its own clock, and nothing enters it but through here.
 *
 *   running ⇄ paused        what comes meanwhile, timers too, happens at the resume: all at once, in its order
 *      └────────┴──▶ dead   nothing happens in it any more
 */
export class SimProcess {
  readonly clock: Clock;
  readonly #world: SimClock;
  #state: 'running' | 'paused' | 'dead' = 'running';
  #skewMs: number;
  #backlog: (() => void)[] = [];
  #isCatchingUp = false;
  readonly #whenDead: (() => void)[] = [];

  constructor(world: SimClock, options: { readonly random: SimRandom; readonly skewMs: number }) {
    this.#world = world;
    this.#skewMs = options.skewMs;
    const setTimer: Clock['setTimer'] = (delayMs, action) => {
      let wanted: (() => void) | undefined = action;
      const timer = world.setTimer(delayMs, () => this.enter(() => wanted?.()));
      return {
        cancel: () => {
          wanted = undefined;
          timer.cancel();
        },
      };
    };
    this.clock = {
      now: () => world.now() + this.#skewMs,
      monotonic: () => world.monotonic(),
      setTimer,
      sleep: (delayMs, signal) => sleepOn({ setTimer }, delayMs, signal),
      random: () => options.random.next(),
      uuid: () => options.random.uuid(),
    };
  }

  get state(): 'running' | 'paused' | 'dead' {
    return this.#state;
  }

  /** This process' wall time alone leaps. */
  jump(byMs: number): void {
    this.#skewMs += byMs;
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    this.#catchUp();
  }

  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#backlog = [];
    for (const tell of this.#whenDead.splice(0)) tell();
  }

  /** Calls `tell` at its death, at once if it is dead. */
  onDeath(tell: () => void): void {
    if (this.#state === 'dead') tell();
    else this.#whenDead.push(tell);
  }

  /** Something happens to this process: now, at its resume, or never. */
  enter(action: () => void): void {
    if (this.#state === 'running' && this.#backlog.length === 0) action();
    else if (this.#state !== 'dead') this.#backlog.push(action);
  }

  /** One by one, each with all that it brings about; what comes meanwhile is behind them. */
  #catchUp(): void {
    if (this.#isCatchingUp || this.#backlog.length === 0) return;
    this.#isCatchingUp = true;
    this.#world.setTimer(0, () => {
      this.#isCatchingUp = false;
      if (this.#state !== 'running') return;
      this.#backlog[0]?.();
      this.#backlog.shift();
      this.#catchUp();
    });
  }

  /** What the outside answers, as this process learns of it. */
  pass<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      answer.then(
        (value) => this.enter(() => resolve(value)),
        (error: unknown) => this.enter(() => reject(asError(error))),
      );
    });
  }

  /** A port as this process has it: answers and callbacks come in through `enter`, calls go out at once. */
  gated<Port extends object>(port: Port): Port {
    return wrapped(port, (method) => (...given) => {
      const answer = method(
        ...given.map((one) =>
          typeof one === 'function'
            ? (...news: unknown[]) => this.enter(() => (one as Anything)(...news))
            : one,
        ),
      );
      return answer instanceof Promise ? this.pass(answer) : answer;
    });
  }
}

/** The port with each of its methods replaced; getters and fields stay the port's own. */
export function wrapped<Port extends object>(port: Port, replace: (method: Anything) => Anything): Port {
  const methods = new Map<PropertyKey, Anything>();
  return new Proxy(port, {
    get(target, name) {
      const known = methods.get(name);
      if (known !== undefined) return known;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = replace((...given) => Reflect.apply(value, target, given));
      methods.set(name, method);
      return method;
    },
  });
}
