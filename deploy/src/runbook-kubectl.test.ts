import { ensureKubectl } from '@sanctum/local-servers';
import { variables } from '@sanctum/messaging/config-variables';
import { commandsOfKind } from '@sanctum/messaging/tests/integration/runbook/runbook-commands';
import { exec } from 'node:child_process';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RecordingCluster } from './cluster/recording-cluster.ts';
import { kubernetesDir, render, type Manifest } from './render.ts';

/*
 * Every line of the runbook that begins with `kubectl`, typed into a shell with the real kubectl, against the
 * Deployments that our manifests make.
 */

const DEPLOYMENTS = ['messaging', 'messaging-canary'];
const COMMANDS = commandsOfKind('kubectl');

let kubectlDir: string;
let manifests: Manifest[];
let cluster: RecordingCluster;

beforeAll(async () => {
  kubectlDir = path.dirname(await ensureKubectl({ progress: () => undefined }));
  manifests = await render(path.join(kubernetesDir, 'overlays/example'));
}, 120_000);
beforeEach(async () => {
  cluster = await RecordingCluster.start(manifests);
  // One line for each thing that the runbook greps for.
  cluster.logLines = [
    'consumer_progress',
    'consumer_fetch_error',
    'broadcast_failed',
    'dispatcher_tick_error',
    'consumer_stopped',
  ].map((event) => JSON.stringify({ event }));
});
afterEach(() => cluster.stop());

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As a person would type it, with the name of a real pod where the runbook has a place for one. */
function type(line: string): Promise<Outcome> {
  const typed = line.replaceAll('<pod-name>', cluster.pods()[0]?.metadata?.name ?? '');
  const env = {
    ...process.env,
    ...cluster.env,
    PATH: `${kubectlDir}${path.delimiter}${process.env['PATH']}`,
  };
  return new Promise((resolve) => {
    exec(typed, { env, shell: '/bin/bash', timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

type Variables = Record<string, string | undefined>;

/** The literal variables of each Deployment. */
const variablesNow = (): Record<string, Variables> =>
  Object.fromEntries(
    DEPLOYMENTS.map((name) => {
      const env = cluster.deployment(name).spec?.template.spec?.containers[0]?.env ?? [];
      return [name, Object.fromEntries(env.map((variable) => [variable.name, variable.value]))];
    }),
  );

const assignments = (line: string): Variables =>
  Object.fromEntries(
    Array.from(line.matchAll(/\b([A-Z_]+)='?([^\s']+)/g), ([, name, value]) => [name!, value!]),
  );

describe.each(COMMANDS)('line $line: $text', ({ text }) => {
  it('does what the runbook says of it', async () => {
    const before = variablesNow();
    const outcome = await type(text);
    const { code, stdout, stderr } = outcome;

    if (/set env deployment\/\S+ .*--selector/.test(text)) {
      expect(code).toBe(1);
      expect(stderr).toContain(
        'selectors and the all flag cannot be used when passing resource/name arguments',
      );
      expect(cluster.changes).toEqual([]);
      return;
    }
    expect(outcome).toMatchObject({ code: 0, stderr: '' });

    if (text.startsWith('kubectl set env ')) {
      const asked = assignments(text);
      expect(Object.keys(asked).filter((name) => !Object.hasOwn(variables, name))).toEqual([]);
      const named = DEPLOYMENTS.filter((name) =>
        text.includes('--selector canary=true')
          ? name === 'messaging-canary'
          : new RegExp(`deployment/${name}(?:\\s|$)`).test(text),
      );
      expect(named.length).toBeGreaterThan(0);
      for (const name of named) Object.assign(before[name]!, asked);
      expect(variablesNow()).toEqual(before);
    } else if (text.startsWith('kubectl scale ')) {
      const replicas = Number(/--replicas=(\d+)/.exec(text)?.[1]);
      expect(cluster.deployment('messaging').spec?.replicas).toBe(replicas);
    } else if (text.startsWith('kubectl get pods ')) {
      // One value for each pod, the canary's last.
      expect(stdout.trim()).toBe('false false false false');
    } else if (text.startsWith('kubectl logs ')) {
      const wanted = /grep (?:--\S+ )?"?([\w\\|]+)/.exec(text)?.[1]?.split('\\|') ?? [];
      expect(wanted.length).toBeGreaterThan(0);
      for (const word of wanted) expect(stdout).toContain(word);
    } else throw new Error('no test knows what this line is to do');
  });
});

it('the runbook has every kind of line that its owner wrote', () => {
  const verbs = new Set(COMMANDS.map(({ text }) => /^kubectl (set env|\w+)/.exec(text)?.[1]));
  expect(verbs).toEqual(new Set(['set env', 'get', 'logs', 'scale']));
});

describe('the rollback', () => {
  const rollbacks = COMMANDS.filter(({ text }) =>
    text.includes('DISPATCHER_ENABLED=false CONSUMER_ENABLED=false'),
  );
  const switchAllOn = () =>
    type('kubectl set env deployment -l app=messaging DISPATCHER_ENABLED=true CONSUMER_ENABLED=true');
  const flags = (name: string) =>
    ['DISPATCHER_ENABLED', 'CONSUMER_ENABLED'].map((variable) => cluster.variable(name, variable));

  it('as its owner wrote it leaves the canary on, which goes on alone with everything', async () => {
    await switchAllOn();
    await type(rollbacks.find(({ asWritten }) => asWritten)!.text);
    expect([flags('messaging'), flags('messaging-canary')]).toEqual([
      ['false', 'false'],
      ['true', 'true'],
    ]);
  });

  it('in the form that works switches both off on both', async () => {
    await switchAllOn();
    await type(rollbacks.find(({ asWritten }) => !asWritten)!.text);
    expect([flags('messaging'), flags('messaging-canary')]).toEqual([
      ['false', 'false'],
      ['false', 'false'],
    ]);
  });
});

it('$(POD_NAME) is known where CONSUMER_NAME is set, since the manifests put POD_NAME before it', async () => {
  await type(`kubectl set env deployment/messaging CONSUMER_NAME='$(POD_NAME)'`);
  const env = cluster.deployment('messaging').spec?.template.spec?.containers[0]?.env ?? [];
  const order = env.map(({ name }) => name);
  expect(order.indexOf('POD_NAME')).toBeGreaterThanOrEqual(0);
  expect(order.indexOf('POD_NAME')).toBeLessThan(order.indexOf('CONSUMER_NAME'));
});
