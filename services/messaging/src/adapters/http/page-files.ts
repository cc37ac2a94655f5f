import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from './problems.ts';

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

/** A page of another origin gets nothing, neither by fetch nor in a frame; a page of ours loads only what is its own. */
export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

export interface PageOptions {
  /** The page as it was built. */
  readonly folder: URL;
  /** The address of the page itself, and the beginning of those of its files. */
  readonly address: string;
  /** What the page's address answers where nothing was built. */
  readonly notBuilt: { readonly title: string; readonly html: string };
}

/**
 * Serves the files of a folder, and no others: an address is looked up in the list of what is there, never joined
 * to a path. A file with a hash in its name may be kept for ever.
 */
export function pageFiles({ folder, address, notBuilt }: PageOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    reply.headers(PAGE_HEADERS);
    const asked = request.url.split('?', 1)[0]!.slice(address.length).replace(/^\//, '');
    const files = await listed(folder);
    const name = asked === '' ? 'index.html' : asked;
    if (!files.includes(name)) {
      return asked === '' ? sendNotBuilt(reply, notBuilt) : sendProblem(reply, 'not_found');
    }
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

function sendNotBuilt(reply: FastifyReply, { title, html }: PageOptions['notBuilt']): FastifyReply {
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>${html}</html>`;
  return reply.code(404).header('content-type', 'text/html; charset=utf-8').send(page);
}
