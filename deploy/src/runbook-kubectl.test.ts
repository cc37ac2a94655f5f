import { ensureKubectl, workspaceDir } from '@sanctum/local-servers';
import { variables } from '@sanctum/messaging/config-variables';
import {
  commandsOfKind,
  runbookCommands,
} from '@sanctum/messaging/tests/integration/runbook/runbook-commands';
import type { Job } from 'kubernetes-types/batch/v1';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1';
import { exec, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
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
/** Each of their lines goes on from the one before. */
const IN_ORDER = ['Before You Type', 'After a Restore'];
const REDIS_URL = 'rediss://:secret@redis.example.org:6380/0';

let kubectlDir: string;
let manifests: Manifest[];
let cluster: RecordingCluster;

beforeAll(async () => {
  kubectlDir = path.dirname(await ensureKubectl({ progress: () => undefined }));
  const rendered = await render(path.join(kubernetesDir, 'overlays/example'));
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    // Made by hand, before the manifests are applied: docs/deploy.md.
    metadata: { name: 'messaging-redis', namespace: rendered[0]!.metadata.namespace! },
    data: { url: Buffer.from(REDIS_URL).toString('base64') },
  };
  manifests = [...rendered, secret];
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

const filled = (line: string) => line.replaceAll('<pod-name>', cluster.pods()[0]?.metadata?.name ?? '');

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  ...cluster.env,
  PATH: `${kubectlDir}${path.delimiter}${process.env['PATH']}`,
});

/** As a person would type it, with the name of a real pod where the runbook has a place for one. */
function type(line: string): Promise<Outcome> {
  return new Promise((resolve) => {
    exec(filled(line), { env: environment(), shell: '/bin/bash', timeout: 30_000 }, (error, stdout, stderr) =>
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

const alone = COMMANDS.filter(({ chapter }) => !IN_ORDER.includes(chapter));
describe.each(alone)('line $line: $text', ({ text }) => {
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
  const verbs = new Set(alone.map(({ text }) => /^kubectl (set env|\w+)/.exec(text)?.[1]));
  expect(verbs).toEqual(new Set(['set env', 'get', 'logs', 'scale']));
});

describe('what is to be done before typing', () => {
  const lines = runbookCommands().filter(
    ({ chapter, kind }) => chapter === 'Before You Type' && kind !== 'redis-cli',
  );
  const [namespace, redisUrl, ...forwards] = lines.map(({ text }) => text);

  it('makes the namespace of the manifests the current one, and finds the URL of Redis there', async () => {
    await type('kubectl config set-context --current --namespace=elsewhere');
    expect((await type('kubectl get deployment messaging')).code).toBe(1);
    expect(await type(namespace!)).toMatchObject({ code: 0, stderr: '' });
    expect((await type('kubectl get deployment messaging')).code).toBe(0);
    expect(await type(`${redisUrl}; echo "$REDIS_URL"`)).toEqual({
      code: 0,
      stdout: `${REDIS_URL}\n`,
      stderr: '',
    });
  });

  it.each(forwards)('opens a way to the API of a pod: %s', async (line) => {
    const pod = cluster.pods()[0]!;
    expect(line).toMatch(/ 8083:8083$/);
    // This machine's port 8083 may be taken.
    const typed = filled(line).replace(/8083:8083$/, ':8083');
    const kubectl = spawn('bash', ['-c', `exec ${typed}`], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [printed] = (await once(kubectl.stdout, 'data')) as [Buffer];
    kubectl.kill();
    await once(kubectl, 'close');
    expect(printed.toString()).toMatch(/^Forwarding from 127\.0\.0\.1:\d+ -> 8083$/m);
    const { ports } = pod.spec!.containers[0]!;
    expect(ports).toContainEqual({ name: 'http', containerPort: 8083 });
    expect(cluster.forwards).toHaveLength(1);
    expect(cluster.pods().map(({ metadata }) => metadata!.name)).toContain(cluster.forwards[0]);
  });

  it('names the label with which the NetworkPolicy lets a pod in, as the line that starts one does', async () => {
    const policy = manifests.find(({ kind }) => kind === 'NetworkPolicy') as unknown as NetworkPolicy;
    const labels = policy.spec!.ingress!.flatMap(({ from = [] }) =>
      from.flatMap(({ podSelector }) => Object.entries(podSelector?.matchLabels ?? {})),
    );
    expect(labels).toHaveLength(1);
    const label = labels[0]!.join('=');
    expect(await readFile(path.join(workspaceDir, 'docs/runbook.md'), 'utf8')).toContain(`\`${label}\``);
    expect(await readFile(path.join(workspaceDir, 'docs/deploy.md'), 'utf8')).toContain(`--labels=${label} `);
  });
});

it('a restore: nothing runs while the database is away, the epoch is raised by our image, all comes back', async () => {
  const lines = COMMANDS.filter(({ chapter }) => chapter === 'After a Restore').map(({ text }) => text);
  const raise = lines.findIndex((line) => line.startsWith('kubectl create job'));
  const start = lines.findIndex((line, index) => index > raise && line.startsWith('kubectl scale'));
  const podsBefore = cluster.pods().length;
  const replicas = DEPLOYMENTS.map((name) => cluster.deployment(name).spec!.replicas);
  // One that is under way.
  await type('kubectl create job under-way --from=cronjob/messaging-prune');
  expect(cluster.jobs()).toHaveLength(1);
  cluster.logLines = ['epoch raised from 1 to 2'];
  const typeAll = async (some: readonly string[]): Promise<string> => {
    let printed = '';
    for (const line of some) {
      const outcome = await type(line);
      expect(outcome, line).toMatchObject({ code: 0, stderr: '' });
      printed += outcome.stdout;
    }
    return printed;
  };

  const seen = await typeAll(lines.slice(0, raise));
  for (const name of DEPLOYMENTS) expect(seen).toMatch(new RegExp(`^${name} `, 'm'));
  expect(cluster.pods()).toEqual([]);
  expect(cluster.cronJob('messaging-prune').spec!.suspend).toBe(true);

  await typeAll(lines.slice(raise, raise + 2));
  const container = (job: Job) => job.spec!.template.spec!.containers[0]!;
  const [job, ...others] = cluster.jobs();
  expect(others).toEqual([]);
  const { command, ...rest } =
    cluster.cronJob('messaging-prune').spec!.jobTemplate.spec!.template.spec!.containers[0]!;
  expect(command).toEqual(['sanctum', 'prune', '--yes']);
  expect(container(job!)).toEqual({ ...rest, command: ['sanctum', 'epoch', 'raise', '--yes'] });
  expect(await typeAll(lines.slice(raise + 2, start))).toContain('epoch raised from 1 to 2');
  expect(cluster.pods()).toEqual([]);

  await typeAll(lines.slice(start));
  expect(cluster.pods()).toHaveLength(podsBefore);
  expect(DEPLOYMENTS.map((name) => cluster.deployment(name).spec!.replicas)).toEqual(replicas);
  expect(cluster.cronJob('messaging-prune').spec!.suspend).toBe(false);
});

it('a restore: revocations and pauses are set right behind the epoch, and before the first pod', () => {
  const lines = runbookCommands().filter(({ chapter }) => chapter === 'After a Restore');
  const places = [
    /create job epoch-raise/,
    /messaging\.revoke\(/,
    /set_control\(/,
    /scale .*--replicas=3/,
  ].map((words) => lines.findIndex(({ text }) => words.test(text)));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
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
