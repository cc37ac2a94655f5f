import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { mintToken } from '@sanctum/messaging/tests/support/tokens';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LOGIN_ENV, Program } from './program.ts';
import { quickStartBlock, quickStartCommands } from './quick-start-block.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Below the examples, where the packages are found. */
const folder = mkdtempSync(`${ROOT}examples/.quick-start-`);
const programs: Program[] = [];
let scene: Scene;
let pod: Pod;

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
});
afterAll(async () => {
  await Promise.all(programs.map((program) => program.end('SIGKILL')));
  await scene.end();
  rmSync(folder, { recursive: true });
});

test(
  'the quick start: a key, a message, and a chat in Node that outlives a kill',
  { timeout: 120_000 },
  async () => {
    writeFileSync(`${folder}/sanctum`, `#!/bin/sh\nexec ${ROOT}sanctum "$@"\n`, { mode: 0o755 });
    // As typed, but for the address, and for the line that a person fills in.
    const commands = quickStartCommands()
      .replace('http://127.0.0.1:8083', pod.httpUrl)
      .replace(/^export CONVERSATION=.*$/m, '');
    const env = { ...process.env, ...LOGIN_ENV };
    const { stdout } = await promisify(execFile)('bash', ['-ec', commands], { cwd: folder, env });
    const CONVERSATION = /conversation +(\S+)/.exec(stdout)?.[1] ?? '';
    const KEY = readFileSync(`${folder}/chat.key`, 'utf8');
    writeFileSync(`${folder}/chat.mjs`, quickStartBlock('chat.mjs'));
    const chat = async (userId: string): Promise<Program> => {
      const given = { SANCTUM_URL: pod.httpUrl, CONVERSATION, KEY, USER_ID: userId };
      const TOKEN = await mintToken({ sub: userId });
      const program = new Program('chat.mjs', { cwd: folder, env: { ...given, TOKEN } });
      programs.push(program);
      return program;
    };

    const bob = await chat('bob');
    await bob.printed(/^alice: Hello, Bob\.$/m);
    const alice = await chat('alice');
    alice.type('How are you?');
    await bob.printed(/^alice: How are you\?$/m);
    await bob.end('SIGKILL');
    alice.type('Are you there?');
    await alice.printed(/^alice: Are you there\?$/m);
    const again = await chat('bob');
    await again.printed(/^alice: Are you there\?$/m);
    // What was taken before does not come again; the one that it was killed at may.
    expect(again.text).not.toContain('Hello');
  },
);
