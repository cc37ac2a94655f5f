import { execFile, spawn } from 'node:child_process';
import { ensureRedis } from '@sanctum/local-servers';
import { once } from 'node:events';
import path from 'node:path';
import { promisify } from 'node:util';
import type { PodProcess } from '../../support/pod.ts';
import { runbookCommands, type CommandKind } from './runbook-commands.ts';

const run = promisify(execFile);

/** The one command of a chapter that contains these words; an error where there is none, or another one. */
export function commandOf(chapter: string, kind: CommandKind, ...words: readonly string[]): string {
  const found = runbookCommands().filter(
    (command) =>
      command.chapter === chapter &&
      command.kind === kind &&
      !command.asWritten &&
      words.every((word) => command.text.includes(word)),
  );
  const texts = new Set(found.map(({ text }) => text));
  const [text] = texts;
  if (text === undefined || texts.size > 1)
    throw new Error(
      `${texts.size} commands of "${chapter}" have ${words.join(' ')}: ${[...texts].join('; ')}`,
    );
  return text;
}

/** Types a `curl` or `redis-cli` line as it stands, at these servers; resolves with what it printed. */
export async function type(
  command: string,
  at: { httpUrl?: string; redisUrl?: string; entryId?: string; messageId?: string },
): Promise<string> {
  const { cli } = await ensureRedis({ progress: () => undefined });
  const redis = at.redisUrl === undefined ? undefined : new URL(at.redisUrl);
  const place = at.httpUrl === undefined ? undefined : new URL(at.httpUrl).host;
  const filled = command
    .replaceAll('<pod-ip>:8083', place ?? '<pod-ip>:8083')
    .replaceAll('<entry-id>', at.entryId ?? '<entry-id>')
    .replaceAll('<message-id>', at.messageId ?? '<message-id>')
    // Where it is, is all that is added, unless it is said: the tests' Redis has another port, and several databases.
    .replace(
      /^redis-cli (?!-u )/,
      `redis-cli ${redis ? `-h ${redis.hostname} -p ${redis.port} -n ${redis.pathname.slice(1) || 0}` : ''} `,
    );
  const unfilled = /<[a-z-]+>/.exec(filled);
  if (unfilled !== null) throw new Error(`nothing was given for ${unfilled[0]} of: ${command}`);
  const { stdout } = await run('bash', ['--norc', '-c', `set -o pipefail; ${filled}`], {
    env: {
      PATH: [path.dirname(cli), process.env['PATH'] ?? ''].join(path.delimiter),
      ...(at.redisUrl !== undefined && { REDIS_URL: at.redisUrl }),
    },
  });
  return stdout;
}

/** What `kubectl logs … --tail=N | grep …` would print of these pods: grep itself, over their own last lines. */
export async function logs(command: string, pods: readonly PodProcess[]): Promise<string> {
  const [, tail, grep] = /^kubectl logs .*--tail=(\d+) \| (grep .+)$/.exec(command) ?? [];
  if (tail === undefined || grep === undefined) throw new Error(`not a look at logs: ${command}`);
  const lines = pods.flatMap((pod) => pod.logs.slice(-Number(tail)).map((line) => JSON.stringify(line)));
  const child = spawn('bash', ['--norc', '-c', grep], { stdio: ['pipe', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stdin.end(`${lines.join('\n')}\n`);
  await once(child, 'close');
  return printed;
}

/** What `kubectl set env deployment/messaging …` would set. */
export function settingsOf(command: string): Record<string, string> {
  const [, assignments] = /^kubectl set env deployment\/messaging (.+)$/.exec(command) ?? [];
  if (assignments === undefined) throw new Error(`not a change of variables: ${command}`);
  return Object.fromEntries(assignments.split(' ').map((each) => each.split('=') as [string, string]));
}

/** What `kubectl scale deployment/messaging …` would set. */
export function replicasOf(command: string): number {
  const [, replicas] = /^kubectl scale deployment\/messaging --replicas=(\d+)$/.exec(command) ?? [];
  if (replicas === undefined) throw new Error(`not a change of scale: ${command}`);
  return Number(replicas);
}
