import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { buildProgram, runCli } from './cli.ts';
import { completionScript } from './completion.ts';
import { TestShell } from './tests/test-shell.ts';

const shell = new TestShell();

/** What bash would offer for the last word. */
function offered(...words: string[]): string[] {
  const line = words.map((word) => `'${word}'`).join(' ');
  const script = `${completionScript(buildProgram(shell), 'bash')}
    COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _sanctum; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

test('bash: commands, commands of commands, options, files', () => {
  expect(offered('sanctum', 'se')).toEqual(['send']);
  expect(offered('./sanctum', '')).toEqual(
    expect.arrayContaining(buildProgram(shell).commands.map((command) => command.name())),
  );
  expect(offered('sanctum', 'dead-letters', 'req')).toEqual(['requeue']);
  expect(offered('sanctum', 'tail', '--all', '--ke')).toEqual(['--key-file']);
  expect(offered('sanctum', 'tail', '--key-file', 'package.js')).toEqual(['package.json']);
  // Anything may follow here; commands do not.
  expect(offered('sanctum', 'tail', '--as', 'se')).toEqual([]);
});

test('zsh: each command and option with what its help says', async () => {
  expect(await runCli(['completion', 'zsh'], shell)).toBe(0);
  expect(shell.out).toMatch(/^#compdef sanctum\n/);
  for (const command of buildProgram(shell).commands) {
    const description = command.description().replaceAll(':', '\\:').replaceAll("'", `'\\''`);
    expect(shell.out).toContain(`'${command.name()}:${description}'`);
    for (const { long } of command.options) expect(shell.out).toContain(`'${long}:`);
  }
});

test('another shell is told what there is', async () => {
  const other = new TestShell();
  expect(await runCli(['completion', 'fish'], other)).toBe(2);
  expect(other.err).toContain('bash, zsh');
});
