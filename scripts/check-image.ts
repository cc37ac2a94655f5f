// `pnpm check:image`: what the Dockerfile says, done without Docker. Its build steps run, as they stand there, in a
// copy of the sources; then its health check and its command run in what came out, in production mode, against a
// PostgreSQL and a Redis. What only an engine can show (users, layers, a read-only root) it does not.
import { freePort, startPostgres, startRedis, workspaceDir } from '@sanctum/local-servers';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const START_MAX_MS = 30_000;
const PAUSE_MS = 200;

// Not inside the clone: what the image lacks would be found there.
const dir = mkdtempSync(path.join(tmpdir(), 'sanctum-image-'));
const [src, app] = [path.join(dir, 'src'), path.join(dir, 'app')];
const say = (line: string): void => console.log(`• ${line}`);

const { build, copies, health, command } = readDockerfile();
const cleanups: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
try {
  copySources();
  for (const { folder, step } of build) {
    say(step);
    const { status, stdout, stderr } = spawnSync('sh', ['-c', step], {
      cwd: folder,
      env: bare(),
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${step} exited ${status}\n${stdout}${stderr}`);
  }
  for (const { from, to } of copies) cpSync(from, to, { recursive: true });
  say(`built: ${execFileSync('du', ['-sh', app], { encoding: 'utf8' }).split('\t')[0]}`);
  await runIt();
  say('the image, as far as it can be told without an engine: well');
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
}

async function runIt(): Promise<void> {
  const postgres = await startPostgres({ dataDir: path.join(dir, 'postgres'), durable: false });
  cleanups.push(() => postgres.stop());
  const redis = await startRedis({ dir: path.join(dir, 'redis') });
  cleanups.push(() => redis.stop());
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = {
    ...bare(),
    NODE_ENV: 'production',
    POSTGRES_URL: postgres.url,
    REDIS_URL: redis.url,
    HTTP_PORT: String(port),
    ADMIN_PORT: String(adminPort),
    JWT_ISSUER: 'https://login.example.org/',
    JWT_AUDIENCE: 'sanctum-messaging',
    JWT_SECRET: 'a-secret-of-at-least-thirty-two-bytes',
    DISPATCHER_ENABLED: 'true',
    CONSUMER_ENABLED: 'true',
  };
  const checkHealth = () => spawnSync(health[0]!, health.slice(1), { cwd: app, env }).status;
  if (checkHealth() === 0) throw new Error('the health check passes while nothing runs');

  const sanctum = path.join(app, 'packages/cli/bin/sanctum.mjs');
  say('sanctum migrate');
  execFileSync(process.execPath, [sanctum, 'migrate'], { env, stdio: ['ignore', 'inherit', 'inherit'] });

  say(command.join(' '));
  const service = spawn(command[0]!, command.slice(1), {
    cwd: app,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(() => service.kill('SIGKILL'));
  let log = '';
  service.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
  const deadline = Date.now() + START_MAX_MS;
  while (checkHealth() !== 0) {
    if (service.exitCode !== null || Date.now() > deadline)
      throw new Error(`it did not become healthy\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  say('the health check passes');
  for (const page of [`:${port}/readyz`, `:${port}/metrics`, `:${port}/docs`, `:${adminPort}/`]) {
    const { status } = await fetch(`http://127.0.0.1${page}`);
    say(`${page} ${status}`);
    if (status !== 200) throw new Error(`${page} answered ${status}\n${log}`);
  }
  service.kill('SIGTERM');
  const [code] = (await once(service, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`on SIGTERM it exited ${code}\n${log}`);
  say('it drained, and exited 0');
}

/** Its build steps with their folders, its health check, its command: read from it, so that they are the same. */
function readDockerfile() {
  const text = readFileSync(path.join(workspaceDir, 'deploy/docker/Dockerfile'), 'utf8').replace(
    /\\\n/g,
    ' ',
  );
  const steps: { folder: string; step: string }[] = [];
  const copied: { from: string; to: string }[] = [];
  let folder = '/';
  let stage = 0;
  let [healthJson, commandJson] = ['', ''];
  for (const line of text.split('\n')) {
    const [, instruction, rest = ''] = /^([A-Z]+) +(.+)$/.exec(line) ?? [];
    if (instruction === 'FROM') stage += 1;
    else if (instruction === 'WORKDIR') folder = rest;
    else if (instruction === 'RUN' && stage === 1) steps.push({ folder: here(folder), step: here(rest) });
    else if (instruction === 'COPY' && stage === 2) {
      const [, from = '', to = ''] = /^--from=build (\S+) (\S+)$/.exec(rest) ?? [];
      // What was built is where it belongs already.
      if (from !== folder) copied.push({ from: here(from), to: path.join(here(folder), to) });
    } else if (instruction === 'HEALTHCHECK') healthJson = rest.replace(/^.*? CMD /, '');
    else if (instruction === 'CMD') commandJson = rest;
  }
  return {
    build: steps,
    copies: copied,
    health: JSON.parse(healthJson) as string[],
    command: JSON.parse(commandJson) as string[],
  };
}

/** The image's folders, on this machine. */
function here(text: string): string {
  return text.replace(/(?<![\w/])\/(src|app)\b/g, (_, name: string) => path.join(dir, name));
}

/** What `COPY . .` would take: what is versioned, or about to be. */
function copySources(): void {
  for (const folder of [src, app]) mkdirSync(folder, { recursive: true });
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: workspaceDir });
  const tar = execFileSync('tar', ['-c', '--null', '-T', '-'], {
    cwd: workspaceDir,
    input: list,
    maxBuffer: 1024 ** 3,
  });
  execFileSync('tar', ['-x'], { cwd: src, input: tar });
}

/** Nothing of this shell but where programs and the home folder are. */
function bare(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' };
}
