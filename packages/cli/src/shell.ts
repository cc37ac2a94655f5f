import { stateDir } from '@sanctum/local-servers';
import { type Clock, systemClock } from '@sanctum/messaging/clock';
import path from 'node:path';
import type { Readable } from 'node:stream';

/** A place to print to. */
export interface TextStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** What a command has of the world around it, handed in so that tests can hand in another. */
export interface Shell {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Where `npm start` in this clone says what it runs; undefined: not looked at. */
  readonly runFile?: string;
  /** Calls `listener` at the first Ctrl-C or SIGTERM instead of ending the process. Returns how to undo it. */
  onInterrupt(listener: () => void): () => void;
}

const INTERRUPTS = ['SIGINT', 'SIGTERM'] as const;

export const processShell: Shell = {
  /** Opened only by the command that reads it. */
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  clock: systemClock,
  runFile: path.join(stateDir, 'run.json'),
  onInterrupt(listener) {
    const undo = () => {
      for (const signal of INTERRUPTS) process.off(signal, once);
    };
    // A second Ctrl-C finds no listener, and ends the process as it would any other.
    const once = () => {
      undo();
      listener();
    };
    for (const signal of INTERRUPTS) process.on(signal, once);
    return undo;
  },
};

/** A variable of the environment; an empty one counts as not set. */
export function given(env: Shell['env'], name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}

/** The same shell with these variables besides, or instead; '' counts as not set. */
export function withEnv(shell: Shell, env: Record<string, string>): Shell {
  const { stdout, stderr, clock } = shell;
  return {
    get stdin() {
      return shell.stdin;
    },
    stdout,
    stderr,
    clock,
    env: { ...shell.env, ...env },
    onInterrupt: (listener) => shell.onInterrupt(listener),
  };
}
