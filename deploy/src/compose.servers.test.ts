import { ensurePrometheus, startRedis, workspaceDir } from '@sanctum/local-servers';
import { loadConfig } from '@sanctum/messaging/config';
import { Redis } from 'ioredis';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

/* What can be told of the compose file without Docker: it is the service, Redis and Prometheus that read it. */

interface ComposeFile {
  services: Record<
    string,
    {
      command?: string[];
      environment?: Record<string, string>;
      ports?: string[];
      stop_grace_period?: string;
      volumes?: string[];
      depends_on?: Record<string, { condition: string }>;
    }
  >;
  volumes: Record<string, unknown>;
}

const DIR = path.join(workspaceDir, 'deploy/docker');
const { services, volumes } = parse(await readFile(path.join(DIR, 'compose.yaml'), 'utf8'), {
  merge: true,
}) as ComposeFile;
const PODS = ['messaging-1', 'messaging-2'];
const sh = promisify(execFile);

it('two pods get settings with which they would start, each with its own name, once the schema is there', () => {
  const names = PODS.map((name) => {
    const { environment, depends_on, stop_grace_period } = services[name]!;
    const env = { ...environment, JWT_SECRET: 's'.repeat(32), NODE_ENV: 'production' };
    const config = loadConfig(env);
    expect(config.warnings).toEqual([]);
    expect(Number.parseInt(stop_grace_period!, 10) * 1000).toBeGreaterThan(config.shutdownGraceMs);
    expect(depends_on!['migrate']).toEqual({ condition: 'service_completed_successfully' });
    return config.consumer.name;
  });
  expect(new Set(names).size).toBe(PODS.length);
});

it('one pod has the console, which is published on this machine alone, as is everything else', () => {
  const published = Object.values(services).flatMap(({ ports = [] }) => ports);
  expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  const { environment } = services[PODS[0]!]!;
  const config = loadConfig({ ...environment, JWT_SECRET: 's'.repeat(32), NODE_ENV: 'production' });
  expect(services[PODS[0]!]!.ports).toEqual([
    `127.0.0.1:8083:${config.http.port}`,
    `127.0.0.1:8084:${config.http.adminPort}`,
  ]);
});

it('what is mounted exists', () => {
  const mounts = Object.values(services).flatMap((service) => service.volumes ?? []);
  expect(mounts.length).toBeGreaterThan(0);
  for (const from of mounts.map((mount) => mount.split(':')[0]!)) {
    if (from.startsWith('.')) expect([from, existsSync(path.join(DIR, from))]).toEqual([from, true]);
    else expect(Object.keys(volumes)).toContain(from);
  }
});

it('Redis takes its settings: persistence, no eviction, room for pods that fall behind', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-test-'));
  const redis = await startRedis({
    dir: path.join(dir, 'redis'),
    args: services['redis']!.command!.slice(1),
  });
  try {
    const settings = ['appendonly', 'maxmemory-policy', 'client-output-buffer-limit'];
    const client = new Redis(redis.url);
    const values = await Promise.all(settings.map((name) => client.config('GET', name)));
    client.disconnect();
    expect(values.map(([, value]) => value)).toEqual([
      'yes',
      'noeviction',
      expect.stringContaining(`pubsub ${256 * 1024 ** 2} ${64 * 1024 ** 2} 60`),
    ]);
  } finally {
    await redis.stop();
    await rm(dir, { recursive: true, force: true });
  }
});

it('Prometheus takes its configuration', async () => {
  const { promtool } = await ensurePrometheus({ progress: () => undefined });
  await sh(promtool, ['check', 'config', '--syntax-only', path.join(DIR, 'prometheus.yml')]);
});
