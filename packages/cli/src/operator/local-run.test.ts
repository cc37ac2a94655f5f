import { processIdentity } from '@sanctum/local-servers';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import { A, B, JWT_ENV } from '../tests/ids.ts';
import { type ScriptedAnswer, ScriptedHttpServer } from '../tests/scripted-http-server.ts';
import { TestShell } from '../tests/test-shell.ts';

/* What `npm start` prints to type next works wherever it listens. */

const refused: ScriptedAnswer = { status: 404, body: { code: 'conversation_not_found' } };
const COMMANDS = [
  ['send', '--conversation', A, '--message-id', B, '--ciphertext', 'c2VhbGVk'],
  ['tail', '--conversation', A],
];

let folder: string;
let server: ScriptedHttpServer;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sanctum-run-'));
  server = await ScriptedHttpServer.start(refused, refused);
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function shellBeside(run: { readonly identity: string | undefined; readonly http: string }) {
  const runFile = path.join(folder, 'run.json');
  const urls = { http: run.http, websocket: '', admin: '', postgres: '', redis: '' };
  await writeFile(runFile, JSON.stringify({ identity: run.identity, pid: 1, servers: [], urls }));
  return Object.assign(new TestShell({ env: JWT_ENV }), { runFile });
}

test.each(COMMANDS)('%s takes the service that runs here where none is named', async (...args) => {
  const shell = await shellBeside({ identity: await processIdentity(process.pid), http: server.url });
  expect(await runCli([...args, '--as', 'alice'], shell)).toBe(1);
  expect(shell.err).toContain(`\`npm start\` runs here, at ${server.url}\n`);
  expect(server.calls).toHaveLength(1);
});

test.each(COMMANDS)('%s takes the one that is named', async (...args) => {
  const identity = await processIdentity(process.pid);
  const shell = await shellBeside({ identity, http: 'http://127.0.0.1:1' });
  expect(await runCli([...args, '--as', 'alice', '--url', server.url], shell)).toBe(1);
  expect(shell.err).not.toContain('npm start');
  expect(server.calls).toHaveLength(1);
});
