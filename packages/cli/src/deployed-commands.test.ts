import { kubernetesDir, render } from '@sanctum/deploy/render';
import path from 'node:path';
import { expect, test } from 'vitest';
import { buildProgram } from './cli.ts';
import { TestShell } from './tests/test-shell.ts';

/** Every list of texts in an object, however deep. */
function lists(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return [value];
  return Object.values(value).flatMap(lists);
}

test('the commands that the manifests run exist, with their options', async () => {
  const overlays = ['overlays/example', 'overlays/example-migrate'].map((name) =>
    path.join(kubernetesDir, name),
  );
  const manifests = (await Promise.all(overlays.map(render))).flat();
  const lines = manifests.flatMap(lists).filter(([program]) => program === 'sanctum');
  expect(lines).toEqual([
    ['sanctum', 'prune', '--yes'],
    ['sanctum', 'migrate'],
  ]);
  const { commands } = buildProgram(new TestShell());
  for (const [, name, ...options] of lines) {
    const command = commands.find((one) => one.name() === name);
    expect(command?.options.map(({ long }) => long)).toEqual(expect.arrayContaining(options));
  }
});
