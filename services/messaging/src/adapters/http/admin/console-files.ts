import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from '../problems.ts';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};

const NOT_BUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sanctum console</title>
<h1>The console is not built</h1><p>Build it with <code>pnpm build:console</code>, then reload this page.
The API below <code>/admin/v1</code> works without it.</p></html>`;

/**
 * Serves the files of a folder, and no others: an address is looked up in the list of what is there, never joined
 * to a path. A file with a hash in its name may be kept for ever.
 */
export function consoleFiles(folder: URL) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const address = request.url.split('?', 1)[0]!.slice(1);
    const files = await listed(folder);
    if (address === '' && !files.includes('index.html')) return sendHtml(reply.code(404), NOT_BUILT);
    const name = address === '' ? 'index.html' : address;
    if (!files.includes(name)) return sendProblem(reply, 'not_found');
    const type = MEDIA_TYPES[path.extname(name)] ?? 'application/octet-stream';
    const isHashed = /-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/.test(name);
    return reply
      .header('content-type', type)
      .header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
      .send(await readFile(new URL(name, folder)));
  };
}

async function listed(folder: URL): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const root = path.normalize(decodeURIComponent(folder.pathname));
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
  } catch {
    return [];
  }
}

function sendHtml(reply: FastifyReply, html: string): FastifyReply {
  return reply.header('content-type', 'text/html; charset=utf-8').send(html);
}
