import { workspaceDir } from '@sanctum/local-servers';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/*
 * Everything in the runbook that a person could type, by what it is typed into. Reading it is total: a block in a
 * language, or a shell line with a program, that no test knows how to run is an error. The tests take all commands
 * of a kind, so none can be left out:
 *
 *   sql, redis-cli, curl, sanctum   operators-commands.test.ts, beside this file
 *   local                           testing-locally.test.ts, beside this file (its last: scripts/testing-locally.ts);
 *                                   what is exported Before You Type: deploy/src/runbook-kubectl.test.ts
 *   promql, alert                   deploy/src/prometheus
 *   kubectl                         deploy/src/runbook-kubectl.test.ts
 *   manifest, docker-compose        deploy/src/runbook-files.test.ts
 */

export type CommandKind =
  | 'sql'
  | 'redis-cli'
  | 'curl'
  | 'kubectl'
  | 'docker-compose'
  | 'sanctum'
  /** A line of the chapters about testing locally: a shell, psql, pnpm. */
  | 'local'
  | 'promql'
  /** One alert, as YAML. */
  | 'alert'
  /** A piece of a Kubernetes manifest, as YAML. */
  | 'manifest';

export interface RunbookCommand {
  readonly kind: CommandKind;
  /** As it stands, without the indentation of the list that it may stand in. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
  /** The heading above it, without its marks: `High Consumer Lag`. */
  readonly chapter: string;
  /** The heading of the second level above it: `Troubleshooting`. */
  readonly section: string;
  /** Kept as its owner wrote it, although it cannot work so: the form that works follows it. */
  readonly asWritten: boolean;
}

export const RUNBOOK = path.join(workspaceDir, 'docs/runbook.md');

const PROGRAMS: Readonly<Record<string, CommandKind>> = {
  'redis-cli': 'redis-cli',
  curl: 'curl',
  kubectl: 'kubectl',
  'docker-compose': 'docker-compose',
  sanctum: 'sanctum',
  cd: 'local',
  export: 'local',
  psql: 'local',
  pnpm: 'local',
  './sanctum': 'local',
};

/** Every command of the runbook, in order. */
export function runbookCommands(file = RUNBOOK): RunbookCommand[] {
  const commands: RunbookCommand[] = [];
  let asWritten = false;
  let chapter = '';
  let section = '';
  for (const part of partsOf(readFileSync(file, 'utf8'))) {
    if (part.language !== undefined) {
      for (const { kind, text, offset } of commandsOf(part.language, part.text, part.line))
        commands.push({ kind, text, line: part.line + offset, chapter, section, asWritten });
      asWritten = false;
      continue;
    }
    const heading = /^#+ (.+)$/.exec(part.text)?.[1];
    if (heading !== undefined) {
      chapter = heading;
      if (part.text.startsWith('## ')) section = heading;
      asWritten = false;
    }
    const mark = Array.from(part.text.matchAll(/_(As written|Works)(?![a-z])/g), ([, name]) => name).at(-1);
    if (mark !== undefined) asWritten = mark === 'As written';
    for (const { kind, text } of inlineCommands(part.text))
      commands.push({ kind, text, line: part.line, chapter, section, asWritten: false });
  }
  return commands;
}

/** The commands of one kind; an error where there is none, since then a test would show nothing. */
export function commandsOfKind(...kinds: readonly CommandKind[]): RunbookCommand[] {
  const found = runbookCommands().filter(({ kind }) => kinds.includes(kind));
  if (found.length === 0) throw new Error(`the runbook has no command of ${kinds.join(', ')}`);
  return found;
}

interface Part {
  /** Of a code block; undefined: a line of prose. */
  readonly language: string | undefined;
  readonly text: string;
  /** Of the line, or of the block's first. */
  readonly line: number;
}

/** Lines of prose, and code blocks as a whole without their indentation. */
function partsOf(markdown: string): Part[] {
  const parts: Part[] = [];
  let open: { indent: string; language: string; lines: string[]; line: number } | undefined;
  markdown.split('\n').forEach((line, index) => {
    const [, indent = '', language = ''] = /^( *)```(\S*)$/.exec(line) ?? [];
    const isFence = line.trimStart().startsWith('```');
    if (open === undefined && isFence) open = { indent, language, lines: [], line: index + 2 };
    else if (open === undefined) parts.push({ language: undefined, text: line, line: index + 1 });
    else if (isFence) {
      parts.push({ language: open.language, text: open.lines.join('\n'), line: open.line });
      open = undefined;
    } else open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
  });
  return parts;
}

interface Piece {
  readonly kind: CommandKind;
  readonly text: string;
  /** Lines below the beginning of the block. */
  readonly offset: number;
}

function commandsOf(language: string, text: string, line: number): Piece[] {
  switch (language) {
    case '':
      return [];
    case 'bash':
      return shellLines(text).map((piece) => ({ ...piece, kind: kindOf(piece.text, line + piece.offset) }));
    case 'sql':
      return pieces(text, /;$/).map((piece) => ({ ...piece, kind: 'sql' }));
    case 'promql':
      return pieces(text, /^$/).map((piece) => ({ ...piece, kind: 'promql' }));
    case 'yaml':
      return text.includes('- alert:')
        ? pieces(text, /^$/, 'with comments').map((piece) => ({ ...piece, kind: 'alert' }))
        : [{ kind: 'manifest', text, offset: 0 }];
    default:
      throw new Error(`the runbook, line ${line}: no test knows how to run ${language}`);
  }
}

function kindOf(command: string, line: number): CommandKind {
  const program = command.split(/\s/)[0] as string;
  const kind = PROGRAMS[program];
  if (kind === undefined) throw new Error(`the runbook, line ${line}: no test knows how to run ${program}`);
  return kind;
}

/** Shell commands, one by one: a line, or a line with its here-document; comments left out. */
export function shellLines(block: string): { text: string; offset: number }[] {
  const commands: { text: string; offset: number }[] = [];
  let document: string | undefined;
  block.split('\n').forEach((line, offset) => {
    const last = commands.at(-1);
    if (document !== undefined && last !== undefined) {
      last.text += `\n${line}`;
      if (line === document) document = undefined;
    } else if (line.trim() !== '' && !line.startsWith('#')) {
      commands.push({ text: line, offset });
      document = /<<'?(\w+)'?$/.exec(line)?.[1];
    }
  });
  return commands;
}

/** Cuts a block behind each line that matches `end`; comments are left out unless asked for. */
function pieces(block: string, end: RegExp, comments?: 'with comments'): { text: string; offset: number }[] {
  const found: { text: string; offset: number }[] = [];
  let open: { lines: string[]; offset: number } | undefined;
  const close = () => {
    if (open !== undefined) found.push({ text: open.lines.join('\n'), offset: open.offset });
    open = undefined;
  };
  block.split('\n').forEach((line, offset) => {
    const isComment = /^(?:#|--)/.test(line);
    if (line.trim() !== '' && !(isComment && comments === undefined)) {
      open ??= { lines: [], offset };
      open.lines.push(line);
    }
    if (end.test(line)) close();
  });
  close();
  return found;
}

/** Commands and expressions in the middle of a sentence; a bare name of a metric is none. */
function inlineCommands(line: string): { kind: CommandKind; text: string }[] {
  return Array.from(line.matchAll(/`([^`]+)`/g), ([, text]) => text as string).flatMap((text) => {
    const [program, ...rest] = text.split(/\s/);
    const kind = PROGRAMS[program as string];
    // `kubectl set env` alone is the name of a command.
    if (kind !== undefined) return rest.length > (kind === 'kubectl' ? 2 : 0) ? [{ kind, text }] : [];
    const isExpression = /\b(?:messaging|transport)_\w+/.test(text) && /[([]|="/.test(text);
    return isExpression ? [{ kind: 'promql' as const, text }] : [];
  });
}
