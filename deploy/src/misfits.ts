import { workspaceDir } from '@sanctum/local-servers';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { nameOf, type Manifest } from './render.ts';

/** Where the type of each kind is declared: those of Kubernetes are generated from its own OpenAPI document. */
const TYPES: Readonly<Record<string, string>> = {
  'apps/v1 Deployment': 'kubernetes-types/apps/v1',
  'autoscaling/v2 HorizontalPodAutoscaler': 'kubernetes-types/autoscaling/v2',
  'batch/v1 CronJob': 'kubernetes-types/batch/v1',
  'batch/v1 Job': 'kubernetes-types/batch/v1',
  'monitoring.coreos.com/v1 PrometheusRule': '@sanctum/deploy/prometheus-operator',
  'monitoring.coreos.com/v1 ServiceMonitor': '@sanctum/deploy/prometheus-operator',
  'networking.k8s.io/v1 Ingress': 'kubernetes-types/networking/v1',
  'networking.k8s.io/v1 NetworkPolicy': 'kubernetes-types/networking/v1',
  'policy/v1 PodDisruptionBudget': 'kubernetes-types/policy/v1',
  'v1 ConfigMap': 'kubernetes-types/core/v1',
  'v1 Service': 'kubernetes-types/core/v1',
  'v1 ServiceAccount': 'kubernetes-types/core/v1',
};

const FLAGS =
  '--ignoreConfig --noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --pretty false ' +
  '--target es2023 --module esnext --moduleResolution bundler';

/**
 * What of the objects does not fit the schemas of Kubernetes: unknown fields, missing ones, wrong types; one line
 * for each. Enumerations are plain strings there, and are not checked.
 */
export async function misfits(manifests: readonly Manifest[]): Promise<string[]> {
  const unknown = manifests.filter((manifest) => TYPES[kindOf(manifest)] === undefined);
  const known = manifests.filter((manifest) => !unknown.includes(manifest));
  // An object literal with a declared type is where the compiler refuses fields that the type lacks.
  const lines = known.map((manifest, index) => {
    const type = `import(${JSON.stringify(TYPES[kindOf(manifest)])}).${manifest.kind}`;
    return `export const object${index}: ${type} = ${JSON.stringify(manifest)};`;
  });
  const refused = (await compile(lines)).map((said) => {
    const [, line, message] = /^[^(]+\((\d+),\d+\): error (.+)$/.exec(said) ?? [];
    const manifest = known[Number(line) - 1];
    if (manifest === undefined) throw new Error(`tsc: ${said}`);
    return `${nameOf(manifest)}: ${message}`;
  });
  return [...unknown.map((manifest) => `${nameOf(manifest)}: no schema for ${kindOf(manifest)}`), ...refused];
}

function kindOf({ apiVersion, kind }: Manifest): string {
  return `${apiVersion} ${kind}`;
}

/** What the compiler says of these lines, a line for each finding. */
async function compile(lines: readonly string[]): Promise<string[]> {
  // Inside the package, so that its dependencies are found.
  const cache = path.join(workspaceDir, 'deploy/node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const dir = await mkdtemp(path.join(cache, 'manifests-'));
  try {
    await writeFile(path.join(dir, 'check.mts'), lines.join('\n'));
    const tsc = path.join(workspaceDir, 'node_modules/.bin/tsc');
    return await new Promise((resolve, reject) => {
      execFile(tsc, [...FLAGS.split(' '), 'check.mts'], { cwd: dir }, (error, stdout, stderr) => {
        const said = stdout.split('\n').filter((line) => /error TS/.test(line));
        if (error !== null && said.length === 0)
          reject(new Error(`tsc: ${stdout}${stderr}`, { cause: error }));
        else resolve(said);
      });
    });
  } finally {
    await rm(dir, { recursive: true });
  }
}
