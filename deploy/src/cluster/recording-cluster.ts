import type { Deployment } from 'kubernetes-types/apps/v1';
import type { EnvVar, Pod } from 'kubernetes-types/core/v1';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
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

/**
 * A Kubernetes API server on loopback, as far as the runbook's `kubectl` lines need one, with the Deployments of
 * rendered manifests in it. Their pods are there as soon as they are wanted, and are new ones whenever the pod
 * template changes. It keeps every change that was asked for. No scheduler, no kubelet: pods only have a
 * specification, and the log lines that a test gives them.
 */
export class RecordingCluster {
  readonly changes: RecordedChange[] = [];
  /** What each pod's log says, a line each. */
  logLines: readonly string[] = [];
  readonly #deployments = new Map<string, Deployment>();
  readonly #server: Server;
  readonly #namespace: string;
  readonly #dir: string;

  private constructor(manifests: readonly Manifest[], dir: string) {
    const deployments = manifests.filter(({ kind }) => kind === 'Deployment') as unknown as Deployment[];
    this.#namespace = deployments[0]?.metadata?.namespace ?? 'default';
    this.#dir = dir;
    for (const deployment of deployments) this.#put({ ...structuredClone(deployment) }, 1);
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
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

  pods(): Pod[] {
    return Array.from(this.#deployments.values()).flatMap((deployment) => podsOf(deployment));
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

    const [, resource, name, subresource] =
      new RegExp(
        `^/(?:api/v1|apis/apps/v1)/namespaces/${this.#namespace}/(\\w+)(?:/([\\w-]+))?(?:/(\\w+))?$`,
      ).exec(pathname) ?? [];
    // Clients that would rather have a list as a stream of events are content with a list.
    if (searchParams.get('sendInitialEvents') === 'true')
      return say(422, refusal(422, 'Invalid', 'no such option'));
    if (searchParams.get('watch') !== null) return response.writeHead(200).flushHeaders();

    const all: readonly (Deployment | Pod)[] =
      resource === 'pods' ? this.pods() : resource === 'deployments' ? [...this.#deployments.values()] : [];
    if (name === undefined) {
      const kind = resource === 'pods' ? 'PodList' : 'DeploymentList';
      return say(
        200,
        listOf(
          kind,
          all.filter((one) => matches(one, searchParams)),
        ),
      );
    }
    const found = all.find((one) => one.metadata?.name === name);
    if (found === undefined) return say(404, refusal(404, 'NotFound', `${resource} "${name}" not found`));
    if (subresource === 'log') {
      const tail = Number(searchParams.get('tailLines') ?? this.logLines.length);
      return void response.end(this.logLines.slice(-tail).concat('').join('\n'));
    }
    if (resource === 'deployments' && request.method === 'PATCH') {
      this.#patch(name, subresource, { method: 'PATCH', path: pathname, body: await readJson(request) });
    }
    return say(
      200,
      subresource === 'scale' ? scaleOf(this.deployment(name)) : (this.#deployments.get(name) ?? found),
    );
  }

  #patch(name: string, subresource: string | undefined, change: RecordedChange): void {
    this.changes.push(change);
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

  /** As the controllers would leave it: every pod is a new one, and ready. */
  #put(deployment: Deployment, generation: number): void {
    const replicas = deployment.spec?.replicas ?? 1;
    const counts = {
      replicas,
      updatedReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
    };
    this.#deployments.set(deployment.metadata?.name ?? '', {
      ...deployment,
      metadata: { ...deployment.metadata, generation, resourceVersion: String(generation) },
      status: {
        observedGeneration: generation,
        ...counts,
        conditions: [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }],
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
  return Array.from({ length: spec?.replicas ?? 1 }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...spec?.template.metadata,
      name: `${metadata?.name}-${metadata?.generation}-${index}`,
      ...(metadata?.namespace !== undefined && { namespace: metadata.namespace }),
    },
    ...(spec?.template.spec !== undefined && { spec: spec.template.spec }),
    status: { phase: 'Running' },
  }));
}

function matches({ metadata }: Deployment | Pod, query: URLSearchParams): boolean {
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

function listOf(kind: 'PodList' | 'DeploymentList', items: readonly object[]): object {
  const apiVersion = kind === 'PodList' ? 'v1' : 'apps/v1';
  return { apiVersion, kind, metadata: { resourceVersion: '1' }, items };
}

function refusal(code: number, reason: string, message: string): object {
  return { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message };
}

async function readJson(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Json;
}
