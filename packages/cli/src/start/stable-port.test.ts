import { freePort } from '@sanctum/local-servers';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { stablePort } from './stable-port.ts';

test('a port stays the same from start to start, until somebody else has it', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-ports-'));
  const file = path.join(dir, 'ports.json');
  const usual = await freePort();
  expect(await stablePort(file, 'postgres', usual)).toBe(usual);

  const somebody = createServer().listen(usual, '127.0.0.1');
  await once(somebody, 'listening');
  const other = await stablePort(file, 'postgres', usual);
  expect(other).not.toBe(usual);
  somebody.close();
  await once(somebody, 'close');
  expect(await stablePort(file, 'postgres', usual)).toBe(other);
  await rm(dir, { recursive: true });
});
