import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root } from './docs/source-facts.ts';

type Scripts = Readonly<Record<string, string>>;

const scriptsOf = (folder: string) =>
  (JSON.parse(readFileSync(`${root}/${folder}/package.json`, 'utf8')) as { scripts: Scripts }).scripts;

/** What people are told to type, in the root and in the service's folder. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  '.': [
    'start',
    'test',
    'messaging:dev',
    'test:integration',
    'test:chaos',
    'test:browser',
    'test:hostile',
    'simulate',
    'soak',
    'torture',
    'bench',
    'check',
  ],
  'services/messaging': ['test:integration'],
};
/** These go on to run what they are given, or reload it for ever. */
const WITHOUT_HELP = new Set(['start', 'test', 'messaging:dev']);

it('every command that people are told to type is a script', () => {
  for (const [folder, names] of Object.entries(COMMANDS)) {
    expect(Object.keys(scriptsOf(folder))).toEqual(expect.arrayContaining([...names]));
  }
});

it('each says with --help how it is used, and does nothing else', { timeout: 120_000 }, async () => {
  const commands = Object.entries(COMMANDS).flatMap(([folder, names]) =>
    names.flatMap((name) => (WITHOUT_HELP.has(name) ? [] : [{ folder, name }])),
  );
  const helps = await Promise.all(
    commands.map(async ({ folder, name }) => ({ name, ...(await run(folder, scriptsOf(folder)[name]!)) })),
  );
  for (const { name, code, text } of helps) {
    expect(text).toMatch(new RegExp(`^Usage: pnpm ${name}( |\n)`, 'i'));
    expect(`${name} ${code}`).toBe(`${name} 0`);
  }
});

/** As pnpm runs a script: in its package's folder, by a shell that finds the workspace's programs. */
function run(folder: string, script: string): Promise<{ code: number | null; text: string }> {
  const child = spawn('sh', ['-c', `${script} --help`], {
    cwd: `${root}/${folder}`,
    env: { ...process.env, PATH: `${root}/node_modules/.bin:${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, text }));
  });
}
