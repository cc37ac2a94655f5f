import { expect, test } from 'vitest';
import { runCli } from './cli.ts';
import { A, JWT_ENV } from './tests/ids.ts';
import { TestShell, type TestShellOptions } from './tests/test-shell.ts';

async function run(args: string[], options?: TestShellOptions): Promise<TestShell & { code: number }> {
  const shell = new TestShell({ env: JWT_ENV, ...options });
  return Object.assign(shell, { code: await runCli(args, shell) });
}

test.each([
  '--help',
  'migrate --help',
  'token --help',
  'send --help',
  'tail --help',
  'status --help',
  'doctor --help',
  'trace --help',
  'dead-letters --help',
  'dead-letters requeue --help',
  'replay --help',
  'pause --help',
  'resume --help',
  'revoke --help',
  'prune --help',
  'partitions --help',
  'partitions ensure --help',
  'rollout --help',
  'rollout back --help',
  'epoch --help',
  'epoch raise --help',
  'completion --help',
])('sanctum %s', async (line) => {
  const { code, out } = await run(line.split(' '));
  expect(code).toBe(0);
  expect(out).toMatchSnapshot();
});

test('the version is that of the package', async () => {
  const { code, out } = await run(['--version']);
  expect([code, out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
});

test('without a command it shows what there is', async () => {
  const { code, out, err } = await run([]);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain('Commands:');
});

test.each([
  [['nonsense'], /unknown command 'nonsense'/],
  [['token'], /required option '--sub <user>'/],
  [['token', '--sub', 'a', '--ttl', 'soon'], /--ttl/],
  [['token', '--sub', 'a', 'b'], /too many arguments/],
  [['send', '--as', 'alice'], /--conversation <id>, or --create/],
  [['send', '--conversation', 'x', '--as', 'alice'], /UUID/],
  [['send', '--conversation', A], /--as <user>, or --token/],
  [['send', '--conversation', A, '--as', 'a', '--token', 't'], /in one way/],
  [['send', '--conversation', A, '--as', 'a', '--member', 'b'], /add --create/],
  [['send', '--conversation', A, '--as', 'a', '--key-id', 'k'], /needs --scheme/],
  [['send', '--conversation', A, '--as', 'a', '--ciphertext', 'AB=='], /canonical base64/],
  [['send', '--conversation', A, '--as', 'a', '--ciphertext', 'AA==', '--file', 'f'], /in one way/],
  [['send', '--conversation', A, '--as', 'a', '--text', 'hello'], /--key-file/],
  [['send', '--conversation', A, '--as', 'a', '--key-file', 'f', '--ciphertext', 'AA=='], /leave out/],
  [['tail', '--all', '--token', 'nonsense'], /is not a JWT/],
  [['tail', '--as', 'bob'], /--conversation <id>, or --all/],
  [['tail', '--as', 'bob', '--all', '--conversation', A], /--conversation <id>, or --all/],
  [['tail', '--as', 'bob', '--all', '--after', '7'], /needs --conversation/],
  [['tail', '--all'], /--as <user>, or --token/],
  [['migrate'], /--postgres-url/],
  [['migrate', '--postgres-url', 'mysql://x'], /postgres:\/\//],
  [['epoch', 'raise', '--postgres-url', 'postgres://x'], /no terminal/],
])('wrong usage %j ends with 2 and says why', async (args, why) => {
  const { code, out, err } = await run(args);
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(why);
});

test('wrong usage with --json is one JSON line on standard error', async () => {
  const { code, err } = await run(['token', '--json']);
  expect(code).toBe(2);
  expect(JSON.parse(err)).toEqual({
    error: {
      message: "required option '--sub <user>' not specified",
      next: 'See `sanctum token --help`.',
    },
  });
});

test('a terminal is not waited on for ciphertext', async () => {
  const { code, err } = await run(['send', '--conversation', A, '--as', 'alice'], { isTTY: true });
  expect(code).toBe(2);
  expect(err).toContain('Encrypt first, then send');
});
