import { workspaceDir } from '@sanctum/local-servers';
import { commandsOfKind } from '@sanctum/messaging/tests/integration/runbook/runbook-commands';
import type { Deployment } from 'kubernetes-types/apps/v1';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { kubernetesDir, render } from './render.ts';

/* What the runbook says in YAML, and the one line that needs Docker: seen in the files that they stand for. */

test('what the runbook has of a manifest stands in both Deployments, in its order', async () => {
  const manifests = await render(path.join(kubernetesDir, 'base'));
  const deployments = manifests.filter(({ kind }) => kind === 'Deployment');
  expect(deployments).toHaveLength(2);
  for (const { text } of commandsOfKind('manifest')) {
    const { env } = parse(text) as { env: { name: string }[] };
    const names = env.map(({ name }) => name);
    for (const deployment of deployments) {
      const { spec } = deployment as unknown as Deployment;
      const ours = spec!.template.spec!.containers[0]!.env!.filter(({ name }) => names.includes(name));
      expect(ours).toEqual(env);
    }
  }
});

test('docker-compose would start what the next lines of the runbook connect to', () => {
  const [compose, ...others] = commandsOfKind('docker-compose');
  expect(others).toEqual([]);
  const [, file] = /^docker-compose -f (\S+) up -d$/.exec(compose!.text)!;
  const exported = new Map(
    commandsOfKind('local').flatMap(({ text }) => {
      const [, name, value] = /^export (\w+_URL)=(\S+)$/.exec(text) ?? [];
      return name === undefined ? [] : [[name, new URL(value!)] as const];
    }),
  );
  const { services } = parse(readFileSync(path.join(workspaceDir, 'services/messaging', file!), 'utf8')) as {
    services: Record<string, { ports: string[]; environment?: Record<string, string> }>;
  };
  const [database, redis] = [exported.get('DATABASE_URL')!, exported.get('REDIS_URL')!];
  expect(services['postgres']).toMatchObject({
    ports: [`${database.port}:5432`],
    environment: {
      POSTGRES_USER: database.username,
      POSTGRES_PASSWORD: database.password,
      POSTGRES_DB: database.pathname.slice(1),
    },
  });
  expect(services['redis']).toMatchObject({ ports: [`${redis.port}:6379`] });
});
