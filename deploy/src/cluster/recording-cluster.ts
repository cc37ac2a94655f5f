import type { Deployment } from 'kubernetes-types/apps/v1';
import type { CronJob, Job } from 'kubernetes-types/batch/v1';
import type { EnvVar, Pod, PodTemplateSpec, Secret } from 'kubernetes-types/core/v1';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Manifest } from '../render.ts';
import { DISCOVERY } from './discovery.ts';
import { strategicMerge, type Json } from './strategic-merge.ts';

export interface RecordedChange {
  readonly method: string;
  readonly path: string;
  readonly body: Json;
}

/** What it holds beside Deployments and pods, by the name in paths. */
const KINDS = { cronjobs: 'CronJob', jobs: 'Job', secrets: 'Secret' } as const;
type Stored = CronJob | Job | Secret;

/**
 * A Kubernetes API server on loopback, as far as the runbook's `kubectl` lines need one, with the Deployments,
 * CronJobs, Jobs and Secrets of manifests in it. Pods are there as soon as they are wanted, and are new ones whenever
 * the pod template changes; a Job's is through at once. It keeps every change that was asked for. No scheduler, no
 * kubelet: pods only have a specification, and the log lines that a test gives them.
 */
export class RecordingCluster {
  readonly changes: RecordedChange[] = [];
  /** The pods to which a port was forwarded. */
  readonly forwards: string[] = [];
  /** Deployments whose new pods never become ready: as after `progressDeadlineSeconds`. */
  readonly stuck = new Set<string>();
  /** What each pod's log says, a line each. */
  logLines: readonly string[] = [];
  readonly #deployments = new Map<string, Deployment>();
  /** By `jobs/name`. */
  readonly #stored = new Map<string, Stored>();
  readonly #server: Server;
  readonly #namespace: string;
  readonly #dir: string;

  private constructor(manifests: readonly Manifest[], dir: string) {
    const deployments = manifests.filter(({ kind }) => kind === 'Deployment') as unknown as Deployment[];
    this.#namespace = deployments[0]?.metadata?.namespace ?? 'default';
    this.#dir = dir;
    for (const deployment of deployments) this.#put({ ...structuredClone(deployment) }, 1);
    for (const [resource, kind] of Object.entries(KINDS))
      for (const manifest of manifests)
        if (manifest.kind === kind) this.#store(resource, structuredClone(manifest) as Stored);
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex) => this.#forward(request, socket));
  }

  static async start(manifests: readonly Manifest[]): Promise<RecordingCluster> {
    const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-cluster-'));
    const cluster = new RecordingCluster(manifests, dir);
    await new Promise<void>((resolve) => cluster.#server.listen(0, '127.0.0.1', resolve));
    await writeFile(path.join(dir, 'config'), JSON.stringify(cluster.#kubeconfig()));
    return cluster;
  }

  /** With these `kubectl` finds this cluster, and nothing of the machine's own. */
  get env(): { KUBECONFIG: string; HOME: string } {
    return { KUBECONFIG: path.join(this.#dir, 'config'), HOME: this.#dir };
  }

  deployment(name: string): Deployment {
    const found = this.#deployments.get(name);
    if (found === undefined) throw new Error(`no Deployment ${name}`);
    return found;
  }

  /** The value that a variable has in a Deployment's container; `undefined` where it is none, or no literal. */
  variable(deployment: string, name: string): string | undefined {
    const env: EnvVar[] = this.deployment(deployment).spec?.template.spec?.containers[0]?.env ?? [];
    return env.find((variable) => variable.name === name)?.value;
  }

  cronJob(name: string): CronJob {
    const found = this.#stored.get(`cronjobs/${name}`);
    if (found === undefined) throw new Error(`no CronJob ${name}`);
    return found as CronJob;
  }

  jobs(): Job[] {
    return this.#storedIn('jobs') as Job[];
  }

  pods(): Pod[] {
    return [...Array.from(this.#deployments.values()).flatMap(podsOf), ...this.jobs().map(podOf)];
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://cluster');
    const say = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const known = DISCOVERY[pathname];
    if (known !== undefined) return say(200, known);

    const place = new RegExp(
      `^/(?:api/v1|apis/(?:apps|batch)/v1)/namespaces/${this.#namespace}/(\\w+)(?:/([\\w-]+))?(?:/(\\w+))?$`,
    ).exec(pathname);
    if (place === null) return say(404, refusal(404, 'NotFound', `nothing at ${pathname}`));
    const [, resource = '', name, subresource] = place;
    // Clients that would rather have a list as a stream of events are content with a list.
    if (searchParams.get('sendInitialEvents') === 'true')
      return say(422, refusal(422, 'Invalid', 'no such option'));
    if (searchParams.get('watch') !== null) return response.writeHead(200).flushHeaders();

    const change = async () => {
      this.changes.push({ method: request.method!, path: pathname, body: await readJson(request) });
      return this.changes.at(-1)!;
    };
    if (resource === 'jobs' && name === undefined && request.method === 'POST') {
      const { body } = await change();
      return say(201, this.#store(resource, finished(body)));
    }
    const all: readonly (Deployment | Pod | Stored)[] =
      resource === 'pods'
        ? this.pods()
        : resource === 'deployments'
          ? [...this.#deployments.values()]
          : this.#storedIn(resource);
    if (name === undefined) {
      const found = all.filter((one) => matches(one, searchParams));
      return say(200, listOf(resource, found));
    }
    const found = all.find((one) => one.metadata?.name === name);
    if (found === undefined) return say(404, refusal(404, 'NotFound', `${resource} "${name}" not found`));
    if (subresource === 'log') {
      const tail = Number(searchParams.get('tailLines') ?? this.logLines.length);
      return void response.end(this.logLines.slice(-tail).concat('').join('\n'));
    }
    if (resource === 'deployments') {
      if (request.method === 'PATCH') this.#patch(name, subresource, await change());
      return say(200, subresource === 'scale' ? scaleOf(this.deployment(name)) : this.deployment(name));
    }
    if (resource === 'cronjobs' && request.method === 'PATCH') {
      const { body } = await change();
      return say(200, this.#store(resource, strategicMerge(found as unknown as Json, body)));
    }
    if (resource === 'jobs' && request.method === 'DELETE') {
      await change();
      this.#stored.delete(`jobs/${name}`);
    }
    return say(200, found);
  }

  /** Takes the tunnel of `kubectl port-forward`, in the older of its two ways; nothing is at its other end. */
  #forward(request: IncomingMessage, socket: Duplex): void {
    const [, forwarded] = /\/pods\/([\w-]+)\/portforward$/.exec(request.url?.split('?')[0] ?? '') ?? [];
    if (forwarded === undefined || request.headers.upgrade !== 'SPDY/3.1')
      return void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    this.forwards.push(forwarded);
    socket.on('error', () => socket.destroy());
    socket.resume().once('end', () => socket.end());
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
        'X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n',
    );
  }

  #store(resource: string, object: Stored): Stored {
    this.#stored.set(`${resource}/${object.metadata?.name}`, object);
    return object;
  }

  #storedIn(resource: string): Stored[] {
    return Array.from(this.#stored).flatMap(([place, object]) =>
      place.startsWith(`${resource}/`) ? [object] : [],
    );
  }

  #patch(name: string, subresource: string | undefined, change: RecordedChange): void {
    const before = this.deployment(name);
    const patched =
      subresource === 'scale'
        ? {
            ...before,
            spec: { ...before.spec, replicas: (change.body['spec'] as { replicas: number }).replicas },
          }
        : strategicMerge(before as unknown as Json, change.body);
    this.#put(patched, (before.metadata?.generation ?? 0) + 1);
  }

  /** As the controllers would leave it: every pod is a new one, and ready, or none is. */
  #put(deployment: Deployment, generation: number): void {
    const replicas = deployment.spec?.replicas ?? 1;
    const isStuck = this.stuck.has(deployment.metadata?.name ?? '');
    const counts = {
      replicas,
      updatedReplicas: isStuck ? 0 : replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
    };
    this.#deployments.set(deployment.metadata?.name ?? '', {
      ...deployment,
      metadata: { ...deployment.metadata, generation, resourceVersion: String(generation) },
      status: {
        observedGeneration: generation,
        ...counts,
        conditions: [
          isStuck
            ? { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }
            : { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
        ],
      },
    });
  }

  #kubeconfig(): object {
    const { port } = this.#server.address() as AddressInfo;
    const context = { cluster: 'recording', user: 'operator', namespace: this.#namespace };
    return {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'recording',
      contexts: [{ name: 'recording', context }],
      clusters: [{ name: 'recording', cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: 'operator', user: {} }],
    };
  }
}

function podsOf({ metadata, spec }: Deployment): Pod[] {
  return Array.from({ length: spec?.replicas ?? 1 }, (_, index) =>
    pod(spec?.template, {
      name: `${metadata?.name}-${metadata?.generation}-${index}`,
      namespace: metadata?.namespace,
      phase: 'Running',
    }),
  );
}

function podOf({ metadata, spec }: Job): Pod {
  const { name, namespace } = metadata ?? {};
  return pod(spec?.template, { name: `${name}-0`, namespace, phase: 'Succeeded' });
}

function pod(
  template: PodTemplateSpec | undefined,
  { name, namespace, phase }: { name: string; namespace: string | undefined; phase: string },
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template?.metadata, name, ...(namespace !== undefined && { namespace }) },
    ...(template?.spec !== undefined && { spec: template.spec }),
    status: { phase },
  };
}

/** As the controller would leave it once its pod is through: it can be told by its labels, and is complete. */
function finished(job: Job): Job {
  const matchLabels = { 'batch.kubernetes.io/job-name': job.metadata!.name! };
  const { template, ...spec } = job.spec!;
  const { metadata } = template;
  return {
    ...job,
    spec: {
      ...spec,
      selector: { matchLabels },
      template: { ...template, metadata: { ...metadata, labels: { ...metadata?.labels, ...matchLabels } } },
    },
    status: { succeeded: 1, conditions: [{ type: 'Complete', status: 'True' }] },
  };
}

function matches({ metadata }: Deployment | Pod | Stored, query: URLSearchParams): boolean {
  const wanted = (query.get('labelSelector') ?? '').split(',').filter((part) => part !== '');
  const named = /^metadata\.name=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1] ?? metadata?.name;
  return (
    named === metadata?.name &&
    wanted.every((part) => {
      const [label = '', value] = part.split('=');
      return metadata?.labels?.[label] === value;
    })
  );
}

function scaleOf({ metadata, spec, status: { replicas } = {} }: Deployment): object {
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: {
      name: metadata?.name,
      namespace: metadata?.namespace,
      resourceVersion: metadata?.resourceVersion,
    },
    spec: { replicas: spec?.replicas },
    status: { replicas },
  };
}

function listOf(resource: string, items: readonly object[]): object {
  const kinds: Readonly<Record<string, readonly [string, string]>> = {
    pods: ['v1', 'Pod'],
    deployments: ['apps/v1', 'Deployment'],
    secrets: ['v1', KINDS.secrets],
    cronjobs: ['batch/v1', KINDS.cronjobs],
    jobs: ['batch/v1', KINDS.jobs],
  };
  const [apiVersion, kind] = kinds[resource] ?? ['v1', ''];
  return { apiVersion, kind: `${kind}List`, metadata: { resourceVersion: '1' }, items };
}

function refusal(code: number, reason: string, message: string): object {
  return { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message };
}

async function readJson(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Json;
}
