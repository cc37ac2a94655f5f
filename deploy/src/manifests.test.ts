import { workspaceDir } from '@sanctum/local-servers';
import { loadConfig } from '@sanctum/messaging/config';
import type { Deployment } from 'kubernetes-types/apps/v1';
import type { CronJob, Job } from 'kubernetes-types/batch/v1';
import type {
  ConfigMap,
  Container,
  EnvVar,
  PodTemplateSpec,
  Service,
  ServiceAccount,
} from 'kubernetes-types/core/v1';
import type { Ingress, NetworkPolicy } from 'kubernetes-types/networking/v1';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { misfits } from './misfits.ts';
import type { ServiceMonitor } from './prometheus-operator.ts';
import { kubernetesDir, nameOf, render, type Manifest } from './render.ts';

let example: Manifest[];
let migrate: Manifest[];
let everything: Manifest[];

beforeAll(async () => {
  [example, migrate, everything] = await Promise.all([
    render(path.join(kubernetesDir, 'overlays/example')),
    render(path.join(kubernetesDir, 'overlays/example-migrate')),
    renderWith(['fast-path-on', 'autoscaling']),
  ]);
}, 120_000);

/** The example with further components, as an installation would have it. */
async function renderWith(components: string[]): Promise<Manifest[]> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-overlay-'));
  const relative = (name: string) => path.relative(dir, path.join(kubernetesDir, name));
  try {
    await writeFile(
      path.join(dir, 'kustomization.yaml'),
      JSON.stringify({
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        resources: [relative('overlays/example')],
        components: components.map((name) => relative(`components/${name}`)),
      }),
    );
    return await render(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

interface Kinds {
  ConfigMap: ConfigMap;
  CronJob: CronJob;
  Deployment: Deployment;
  Ingress: Ingress;
  Job: Job;
  NetworkPolicy: NetworkPolicy;
  Service: Service;
  ServiceAccount: ServiceAccount;
  ServiceMonitor: ServiceMonitor;
}

function find<Kind extends keyof Kinds>(from: readonly Manifest[], name: `${Kind}/${string}`): Kinds[Kind] {
  const found: unknown = from.find((manifest) => nameOf(manifest) === name);
  if (found === undefined) throw new Error(`no ${name} among ${from.map(nameOf).join(', ')}`);
  return found as Kinds[Kind];
}

const deployment = (name: string, from = example) => find(from, `Deployment/${name}`);
const container = (of: Deployment) => of.spec!.template.spec!.containers[0]!;
const env = (name: string, of: Container): EnvVar => {
  const found = of.env?.find((variable) => variable.name === name);
  if (found === undefined) throw new Error(`no variable ${name}`);
  return found;
};
const DEPLOYMENTS = ['messaging', 'messaging-canary'];

function podTemplates(): PodTemplateSpec[] {
  return [
    ...DEPLOYMENTS.map((name) => deployment(name).spec!.template),
    find(example, 'CronJob/messaging-prune').spec!.jobTemplate.spec!.template,
    find(migrate, 'Job/messaging-migrate').spec!.template,
  ];
}

describe('the schemas of Kubernetes', () => {
  it('take every object', async () => {
    expect(await misfits([...example, ...migrate, ...everything])).toEqual([]);
  });

  it('refuse an unknown field, a wrong type, a missing field and an unknown kind', async () => {
    const spoiled = structuredClone(example);
    Object.assign(container(deployment('messaging', spoiled)), { readinesProbe: {} });
    find(spoiled, 'Service/messaging').spec!.ports![0]!.port = '8083' as never;
    delete (find(spoiled, 'Ingress/messaging').spec!.rules![0]!.http as { paths?: unknown }).paths;
    Object.assign(find(spoiled, 'ServiceAccount/messaging'), { kind: 'ServiceAcount' });
    const said = (await misfits(spoiled)).map((line) =>
      line.replace(/: .*(readinesProbe|no schema).*/, ' $1'),
    );
    expect(said.sort()).toEqual([
      'Deployment/messaging readinesProbe',
      expect.stringContaining('Ingress/messaging'),
      expect.stringContaining('Service/messaging'),
      'ServiceAcount/messaging no schema',
    ]);
  });
});

describe('the two Deployments', () => {
  it('are told apart by the label on the canary Deployment itself, and share app=messaging', () => {
    expect(deployment('messaging').metadata!.labels).toEqual({ app: 'messaging' });
    expect(deployment('messaging-canary').metadata!.labels).toEqual({ app: 'messaging', canary: 'true' });
    for (const name of DEPLOYMENTS) {
      const { selector, template } = deployment(name).spec!;
      expect(template.metadata!.labels).toMatchObject({ app: 'messaging' });
      expect(template.metadata!.labels).toMatchObject(selector.matchLabels ?? {});
    }
    const [stable, canary] = DEPLOYMENTS.map((name) => deployment(name).spec!.selector.matchLabels!['track']);
    expect(stable).not.toBe(canary);
  });

  it('differ in nothing else but their number of pods', () => {
    const [stable, canary] = DEPLOYMENTS.map((name) => {
      const { metadata, spec } = structuredClone(deployment(name));
      const { selector, template, replicas: _, ...rest } = spec!;
      delete template.metadata!.labels!['track'];
      delete selector.matchLabels!['track'];
      return { annotations: metadata!.annotations, selector, template, ...rest };
    });
    expect(canary).toEqual(stable);
  });

  it('have the flags as literal values, off, and POD_NAME before CONSUMER_NAME', () => {
    for (const name of DEPLOYMENTS) {
      const of = container(deployment(name));
      expect(env('DISPATCHER_ENABLED', of).value).toBe('false');
      expect(env('CONSUMER_ENABLED', of).value).toBe('false');
      expect(env('CONSUMER_NAME', of).value).toBe('$(POD_NAME)');
      expect(env('POD_NAME', of).valueFrom?.fieldRef?.fieldPath).toBe('metadata.name');
      const order = of.env!.map((variable) => variable.name);
      expect(order.indexOf('POD_NAME')).toBeLessThan(order.indexOf('CONSUMER_NAME'));
    }
  });

  it('give the service settings with which it would start in production', () => {
    const of = container(deployment('messaging'));
    const secret: Record<string, string> = { url: 'postgres://db/sanctum' };
    const settings = find(example, `ConfigMap/${of.envFrom![0]!.configMapRef!.name}`).data!;
    const given = of.env!.map(({ name, value, valueFrom }) => {
      if (valueFrom?.secretKeyRef !== undefined) return [name, secret[valueFrom.secretKeyRef.key]];
      return [name, value === '$(POD_NAME)' || value === undefined ? 'messaging-5d9c-abcde' : value];
    });
    const values = {
      ...settings,
      ...Object.fromEntries(given),
      REDIS_URL: 'redis://redis',
      NODE_ENV: 'production',
    };
    const config = loadConfig(values as Record<string, string>);
    expect(config.warnings).toEqual([]);
    expect(config.consumer.name).toBe('messaging-5d9c-abcde');
  });

  it('leave the drain its time before the kill', () => {
    for (const name of DEPLOYMENTS) {
      const { terminationGracePeriodSeconds } = deployment(name).spec!.template.spec!;
      const of = container(deployment(name));
      const preStop = Number(of.lifecycle!.preStop!.exec!.command![1]);
      const drain = Number(env('SHUTDOWN_GRACE_MS', of).value) / 1000;
      expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(preStop + drain + 2);
    }
  });

  it('are probed at paths that the service serves', async () => {
    const { paths } = JSON.parse(await readFile(path.join(workspaceDir, 'docs/openapi.json'), 'utf8'));
    const { startupProbe, livenessProbe, readinessProbe } = container(deployment('messaging'));
    const probed = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe!.httpGet!.path!);
    expect(probed).toEqual(['/healthz', '/healthz', '/readyz']);
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(probed));
  });
});

describe('what may reach the pods', () => {
  it('from outside: /v1 and /ws, with timeouts that an idle WebSocket outlives', () => {
    const ingress = find(example, 'Ingress/messaging');
    const paths = ingress.spec!.rules!.flatMap((rule) =>
      rule.http!.paths.map((one) => [one.path, one.pathType]),
    );
    expect(paths).toEqual([
      ['/v1', 'Prefix'],
      ['/ws', 'Exact'],
    ]);
    const heartbeatMs = Number(
      env('WEBSOCKET_HEARTBEAT_INTERVAL_MS', container(deployment('messaging'))).value,
    );
    for (const side of ['read', 'send']) {
      const seconds = Number(
        ingress.metadata!.annotations![`nginx.ingress.kubernetes.io/proxy-${side}-timeout`],
      );
      expect(seconds * 1000).toBeGreaterThanOrEqual(2 * heartbeatMs);
    }
  });

  it('port 8083 only: the admin port is in no Service and no NetworkPolicy, Prometheus may come', () => {
    const { ports, selector } = find(example, 'Service/messaging').spec!;
    expect(ports!.map(({ port, targetPort }) => [port, targetPort])).toEqual([[8083, 'http']]);
    expect(selector).toEqual({ app: 'messaging' });
    const policy = find(example, 'NetworkPolicy/messaging').spec!;
    expect(policy.podSelector.matchLabels).toEqual({ app: 'messaging' });
    expect(policy.ingress!.flatMap((rule) => rule.ports!.map(({ port }) => port))).toEqual([8083]);
    const namespaces = policy.ingress![0]!.from!.map(
      (from) => from.namespaceSelector?.matchLabels?.['kubernetes.io/metadata.name'],
    );
    expect(namespaces).toContain('monitoring');
  });

  it('the ServiceMonitor finds the Service and its port', () => {
    const { spec } = find(example, 'ServiceMonitor/messaging');
    const service = find(example, 'Service/messaging');
    expect(service.metadata!.labels).toMatchObject(spec.selector.matchLabels ?? {});
    expect(service.spec!.ports!.map(({ name }) => name)).toContain(spec.endpoints[0]!.port);
  });
});

it('no pod has privileges, a writable root, or a token of the cluster', () => {
  for (const { spec } of podTemplates()) {
    expect(spec!.automountServiceAccountToken).toBe(false);
    expect(spec!.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const { securityContext } of spec!.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  }
});

it('secrets are references, and no object holds one', () => {
  expect([...example, ...migrate].filter(({ kind }) => kind === 'Secret')).toEqual([]);
  const variables = podTemplates().flatMap(({ spec }) => spec!.containers.flatMap((one) => one.env ?? []));
  const secret = variables.filter(({ name }) => /_URL$|SECRET|PASSWORD|KEY/.test(name));
  expect(secret.length).toBeGreaterThan(0);
  for (const { valueFrom } of secret) expect(valueFrom?.secretKeyRef).toBeDefined();
});

it('one image and one namespace run everything, the migration too', () => {
  const images = podTemplates().flatMap(({ spec }) => spec!.containers.map(({ image }) => image));
  expect(new Set(images)).toEqual(new Set(['registry.example.org/sanctum-messaging:0.1.0']));
  expect(new Set([...example, ...migrate].map(({ metadata }) => metadata.namespace))).toEqual(
    new Set(['messaging']),
  );
});

describe('components', () => {
  it('autoscaling is opt-in, and then nothing else says how many pods there are', () => {
    const autoscalers = (from: Manifest[]) => from.filter(({ kind }) => kind === 'HorizontalPodAutoscaler');
    expect(autoscalers(example)).toEqual([]);
    expect(autoscalers(everything)).toHaveLength(1);
    expect(deployment('messaging', everything).spec!.replicas).toBeUndefined();
    expect(deployment('messaging-canary', everything).spec!.replicas).toBe(1);
  });

  it('fast-path-on switches both flags of both Deployments, and nothing else', () => {
    for (const name of DEPLOYMENTS) {
      const [on, off] = [everything, example].map((from) => container(deployment(name, from)).env!);
      expect(on!.filter((variable, index) => variable.value !== off![index]!.value)).toEqual([
        { name: 'DISPATCHER_ENABLED', value: 'true' },
        { name: 'CONSUMER_ENABLED', value: 'true' },
      ]);
    }
  });
});
