import { expect, test } from 'vitest';
import { CliError } from './cli-error.ts';
import { Output, printable } from './output.ts';
import { TestShell } from './tests/test-shell.ts';

test('results are text for people and JSON for programs', () => {
  const shell = new TestShell();
  new Output(shell, {}).result({ n: 1 }, 'one');
  new Output(shell, { json: true }).result({ n: 1 }, 'one');
  expect(shell.out).toBe('one\n{"n":1}\n');
});

test('an error says what was wrong and what to do next', () => {
  const shell = new TestShell();
  const code = new Output(shell, {}).failure(new CliError('it broke', 'Mend it.'));
  expect([code, shell.err, shell.out]).toEqual([1, 'error: it broke\nMend it.\n', '']);
});

test('an error for programs is one JSON line', () => {
  const shell = new TestShell();
  new Output(shell, { json: true }).failure(new CliError('it broke', 'Mend it.'));
  expect(shell.err).toBe('{"error":{"message":"it broke","next":"Mend it."}}\n');
});

test('there are colours on a terminal, and none elsewhere, with NO_COLOR, or on a dumb one', () => {
  const red = (shell: TestShell): string => new Output(shell, {}).paint('red', 'x');
  expect(red(new TestShell({ isTTY: true }))).toBe('\u001b[31mx\u001b[0m');
  expect(red(new TestShell({ isTTY: false }))).toBe('x');
  expect(red(new TestShell({ isTTY: true, env: { NO_COLOR: '1' } }))).toBe('x');
  expect(red(new TestShell({ isTTY: true, env: { NO_COLOR: '' } }))).not.toBe('x');
  expect(red(new TestShell({ isTTY: true, env: { TERM: 'dumb' } }))).toBe('x');
});

test('text of a stranger cannot steer the terminal', () => {
  expect(printable('a\u001b[2Jb\nc\u202ed')).toBe('a\\u{1b}[2Jb\\u{a}c\\u{202e}d');
  expect(printable('x'.repeat(300))).toBe(`${'x'.repeat(255)}…`);
});
