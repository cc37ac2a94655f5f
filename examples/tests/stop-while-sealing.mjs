/**
 * Loaded into a program before all else: the first time that it encrypts, it is told to stop, and goes on once it has
 * let go of its storage (`STATE_FILE`), as a busy machine may have it.
 */
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

const { prototype } = Object.getPrototypeOf(crypto.subtle).constructor;
const { encrypt } = prototype;
prototype.encrypt = async function encryptLate(...args) {
  prototype.encrypt = encrypt;
  process.kill(process.pid, 'SIGTERM');
  while (existsSync(`${process.env.STATE_FILE}.lock`)) await setImmediate();
  return encrypt.apply(this, args);
};
