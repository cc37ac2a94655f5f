import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { variables } from '../../services/messaging/src/config-variables.ts';
import { createMetrics } from '../../services/messaging/src/metrics.ts';
import {
  runbookCommands,
  type RunbookCommand,
} from '../../services/messaging/src/tests/integration/runbook/runbook-commands.ts';
import { root, textOf } from './source-facts.ts';

const runbook = textOf('docs/runbook.md');
/** The owner's own, of 2025-10-03. */
const OWNERS = 'services/messaging/src/tests/integration/runbook/owners-runbook.md';
const SUFFIXES = /_(?:bucket|count|sum)$/;

it('every variable in the tables of the runbook exists, with that default', () => {
  const rows = Array.from(runbook.matchAll(/^\| `([A-Z_]+)` +\| (`[^`]+`|—) +\|/gm), ([, name, value]) => ({
    name: name!,
    value: value!,
  }));
  expect(rows).toHaveLength(14);
  for (const { name, value } of rows) {
    const { data } = variables[name as keyof typeof variables].schema.safeParse(undefined);
    expect(`${name} ${value}`).toBe(`${name} ${data === undefined ? '—' : `\`${String(data)}\``}`);
  }
});

it('every variable that the runbook names elsewhere exists', () => {
  const names = Array.from(
    runbook.matchAll(/\b((?:DISPATCH|CONSUMER|WEBSOCKET|JWT|SHUTDOWN|OUTBOX|DLQ)[A-Z]*_[A-Z_]+)\b/g),
    ([, name]) => name!,
  );
  expect([...new Set(names)].filter((name) => !Object.hasOwn(variables, name))).toEqual([]);
});

it('every metric that the runbook names exists', () => {
  const { registry } = createMetrics({ dispatcher: true, consumer: true });
  const names = Array.from(
    runbook.matchAll(/\b((?:messaging|transport)_[a-z_]*[a-z])\b(?!\.)/g),
    ([, name]) => name!,
  );
  const known = (name: string) =>
    registry.getSingleMetric(name) ?? registry.getSingleMetric(name.replace(SUFFIXES, ''));
  const unknown = [...new Set(names)].filter((name) => known(name) === undefined && !NO_METRICS.has(name));
  expect(unknown).toEqual([]);
});

/** A database of tests, and the beginning of a pattern. */
const NO_METRICS: ReadonlySet<string> = new Set(['messaging_test', 'messaging_outbox', 'transport']);

it('"Testing Locally" stands as the owner wrote it', () => {
  const [chapter] = /^## Testing Locally\n[^]*?\n---\n/m.exec(runbook) ?? [];
  expect(createHash('sha256').update(chapter!).digest('hex')).toBe(TESTING_LOCALLY_SHA256);
});

const TESTING_LOCALLY_SHA256 = '008d3b3377b981ee30774bb73fe1e8ed6af564c9c336b12a08efa86342725e7a';

it("keeps the owner's structure: each of his headings, in his order", () => {
  const headingsOf = (text: string): string[] =>
    text.replaceAll(/^```[^]*?^```/gm, '').match(/^#+ .+$/gm) ?? [];
  const his = headingsOf(textOf(OWNERS));
  expect(his.length).toBeGreaterThan(30);
  expect(headingsOf(runbook).filter((heading) => his.includes(heading))).toEqual(his);
});

it("keeps every command, query and alert of the owner's", () => {
  const key = ({ kind, chapter, text }: RunbookCommand) => `${kind}, ${chapter}: ${text}`;
  const his = runbookCommands(`${root}/${OWNERS}`).map(key);
  expect(his.length).toBeGreaterThan(40);
  const ours = new Set(runbookCommands().map(key));
  expect(his.filter((command) => !ours.has(command))).toEqual([]);
});

it('what stands as written although it cannot work is followed by what works', () => {
  const commands = runbookCommands();
  const stranded = commands.filter(
    ({ asWritten, kind, chapter }, index) =>
      asWritten &&
      !commands.slice(index + 1).some(
        (later) =>
          !later.asWritten &&
          later.chapter === chapter &&
          // A manifest does what `kubectl set env` cannot.
          (later.kind === kind || later.kind === 'manifest'),
      ),
  );
  expect(stranded).toEqual([]);
});

it.each([
  ['```ruby\nputs 1\n```', 'line 2: no test knows how to run ruby'],
  ['text\n\n```bash\n# a look\nmongosh --eval 1\n```', 'line 5: no test knows how to run mongosh'],
])('a command that no test would run is an error: %j', (markdown, message) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sanctum-test-'));
  try {
    const file = path.join(dir, 'page.md');
    writeFileSync(file, markdown);
    expect(() => runbookCommands(file)).toThrow(message);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
