import { ensureKubectl, workspaceDir } from '@sanctum/local-servers';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

/** One object as it goes to the Kubernetes API. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

export const kubernetesDir = path.join(workspaceDir, 'deploy/kubernetes');

/** The objects of a folder with a kustomization, as `kubectl kustomize` renders them; throws where it warns. */
export async function render(folder: string): Promise<Manifest[]> {
  const kubectl = await ensureKubectl({ progress: () => undefined });
  const { stdout, stderr } = await promisify(execFile)(kubectl, ['kustomize', folder]);
  if (stderr !== '') throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** `Deployment/messaging` */
export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}
