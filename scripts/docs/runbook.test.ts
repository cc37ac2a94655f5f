import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { variables } from '../../services/messaging/src/config-variables.ts';
import { createMetrics } from '../../services/messaging/src/metrics.ts';
import { textOf } from './source-facts.ts';

const runbook = textOf('docs/runbook.md');
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
