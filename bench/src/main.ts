import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureBacklog } from './pipeline/backlog.ts';
import { measureLatency } from './pipeline/latency.ts';
import { measureMemory } from './pipeline/memory.ts';
import { measureThroughput } from './pipeline/throughput.ts';
import { Stack } from './stack.ts';

const HELP = `Usage: pnpm bench pipeline [options]

Drives the real service, PostgreSQL and Redis on this machine through HTTP and WebSocket, all on the same cores,
and prints its figures as text, and as JSON where asked.

  --only NAMES     latency, throughput, backlog, memory; comma-separated (default: all)
  --rate N         messages a second of the latency run (default 500)
  --members N      members of each conversation (default 10)
  --seconds N      length of the latency run (default 20)
  --messages N     messages of the throughput run (default 20000)
  --rows N         rows of the backlog (default 200000)
  --connections N  idle connections of the memory run (default 5000)
  --json FILE      writes the figures there too
  --profile DIR    has each pod write a CPU profile there; its figures are then those of a slower service
  --help           this text
`;

const PARTS = ['latency', 'throughput', 'backlog', 'memory'] as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', default: PARTS.join(',') },
      rate: { type: 'string', default: '500' },
      members: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '20' },
      messages: { type: 'string', default: '20000' },
      rows: { type: 'string', default: '200000' },
      connections: { type: 'string', default: '5000' },
      json: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const parts = values.only.split(',');
  const unknown = parts.find((part) => !PARTS.includes(part as (typeof PARTS)[number]));
  if (positionals.length !== 1 || positionals[0] !== 'pipeline' || unknown !== undefined) {
    process.stderr.write(
      unknown === undefined ? HELP : `--only: given ${unknown}; allowed: ${PARTS.join(', ')}\n`,
    );
    return 2;
  }
  const number = (name: 'rate' | 'members' | 'seconds' | 'messages' | 'rows' | 'connections') => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new UsageError(`--${name}: given ${values[name]}; allowed: an integer from 1`);
    return value;
  };
  const settings = {
    rate: number('rate'),
    members: number('members'),
    seconds: number('seconds'),
    messages: number('messages'),
    rows: number('rows'),
    connections: number('connections'),
  };

  const figures: Record<string, unknown> = {
    machine: machine(),
    commit: commit(),
    at: new Date().toISOString(),
  };
  show('machine', figures['machine']);
  const stack = await Stack.start(values.profile);
  try {
    const run = async (part: (typeof PARTS)[number], measure: () => Promise<unknown>) => {
      if (!parts.includes(part)) return;
      figures[part] = await measure();
      show(part, figures[part]);
    };
    const pod = await stack.pod();
    await run('latency', () => measureLatency(stack, pod, settings));
    await run('throughput', () => measureThroughput(stack, pod, settings));
    await pod.stop();
    await run('memory', () => measureMemory(stack, settings));
    await run('backlog', () => measureBacklog(stack, settings));
  } finally {
    await stack.stop();
  }
  if (values.json !== undefined) {
    mkdirSync(path.dirname(values.json), { recursive: true });
    writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
  }
  return 0;
}

class UsageError extends Error {}

function machine() {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memory_gb: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
  };
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

function show(title: string, figures: unknown): void {
  process.stdout.write(`\n${title}\n`);
  for (const [name, value] of Object.entries(figures as object)) {
    const text =
      typeof value === 'object'
        ? Object.entries(value as object)
            .map(([k, v]) => `${k} ${v}`)
            .join('   ')
        : String(value);
    process.stdout.write(`  ${name.padEnd(22)} ${text}\n`);
  }
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof UsageError ? error.message : String(error)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
