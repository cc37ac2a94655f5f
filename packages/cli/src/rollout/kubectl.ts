import { execFile } from 'node:child_process';
import { CliError } from '../cli-error.ts';
import type { Shell } from '../shell.ts';
import { CANARY, STABLE, type Flag, type Flags } from './steps.ts';

const ROLLED_OUT_MAX = '15m';

interface DeploymentList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: {
      readonly template: {
        readonly spec: { readonly containers: readonly { readonly env?: readonly EnvVar[] }[] };
      };
    };
  }[];
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}

/** The operator's own `kubectl`, with his context and his rights. */
export class Kubectl {
  readonly #file: string;
  readonly #scope: readonly string[];
  readonly #env: Shell['env'];

  constructor(shell: Pick<Shell, 'env'>, options: { readonly kubectl: string; readonly namespace?: string }) {
    this.#file = options.kubectl;
    this.#scope = options.namespace === undefined ? [] : ['--namespace', options.namespace];
    this.#env = shell.env;
  }

  /** A command as it would be typed. */
  text(args: readonly string[]): string {
    return [this.#file, ...this.#scope, ...args].join(' ');
  }

  async flags(): Promise<Flags> {
    const printed = await this.run(['get', 'deployments', '-l', 'app=messaging', '-o', 'json']);
    const { items } = JSON.parse(printed) as DeploymentList;
    const flagsOf = (name: string): Record<Flag, boolean> => {
      const found = items.find(({ metadata }) => metadata.name === name);
      if (found === undefined) {
        throw new CliError(
          `there is no Deployment ${name} labelled app=messaging`,
          'Is it the right --namespace?',
        );
      }
      const env = found.spec.template.spec.containers.flatMap((container) => container.env ?? []);
      return {
        DISPATCHER_ENABLED: isOn(env, { name: 'DISPATCHER_ENABLED', deployment: name }),
        CONSUMER_ENABLED: isOn(env, { name: 'CONSUMER_ENABLED', deployment: name }),
      };
    };
    return { [STABLE]: flagsOf(STABLE), [CANARY]: flagsOf(CANARY) };
  }

  /** Until every pod of it is a new one, and ready. */
  async rolledOut(deployment: string): Promise<void> {
    await this.run(['rollout', 'status', `deployment/${deployment}`, `--timeout=${ROLLED_OUT_MAX}`]);
  }

  run(args: readonly string[]): Promise<string> {
    const env = { ...this.#env };
    return new Promise((resolve, reject) => {
      execFile(
        this.#file,
        [...this.#scope, ...args],
        { env, maxBuffer: 16 * 1024 ** 2 },
        (error, stdout, stderr) => {
          if (error === null) return resolve(stdout);
          if (error.code === 'ENOENT')
            return reject(new CliError(`no ${this.#file} on PATH`, 'Install it, or name it with --kubectl.'));
          reject(new CliError(`${this.text(args)}\n${stderr.trim()}`));
        },
      );
    });
  }
}

function isOn(env: readonly EnvVar[], of: { readonly name: Flag; readonly deployment: string }): boolean {
  const variable = env.find(({ name }) => name === of.name);
  if (variable?.valueFrom === undefined) return variable?.value === 'true';
  throw new CliError(
    `${of.name} of ${of.deployment} is not a literal value`,
    'It must stand in the Deployment itself, as in deploy/kubernetes/base.',
  );
}
