import { freePort } from '@sanctum/local-servers';
import { readFile, writeFile } from 'node:fs/promises';

/**
 * The port that a local server had last time, so that noted URLs stay true; the first time the usual one of
 * its kind. Where that is taken by now: another one, which is then the remembered one.
 */
export async function stablePort(file: string, name: string, usual: number): Promise<number> {
  const ports = await readPorts(file);
  const remembered = ports[name] ?? usual;
  const port = await freePort(remembered);
  if (port !== ports[name]) await writeFile(file, `${JSON.stringify({ ...ports, [name]: port }, null, 2)}\n`);
  return port;
}

async function readPorts(file: string): Promise<Record<string, number>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, number>;
  } catch {
    return {};
  }
}
