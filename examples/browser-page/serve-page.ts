import { createServer, type Plugin } from 'vite';
import { login, serviceUrl } from '../service.ts';

/** Where users log in. Yours asks who they are. */
const tokens: Plugin = {
  name: 'tokens',
  configureServer({ middlewares }) {
    middlewares.use('/token', (request, response) => {
      const user = new URL(request.url ?? '', 'http://page').searchParams.get('user') ?? '';
      login(user).then(
        (token) => response.end(token),
        () => {
          response.statusCode = 500;
          response.end();
        },
      );
    });
  },
};

/** Serves a folder's page, and the service behind the same address, so that the browser needs no CORS. */
export async function servePage({ root, port }: { root: string; port: number }) {
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'warn',
    plugins: [tokens],
    server: {
      host: '127.0.0.1',
      port,
      // The page's own address as `Host` (no `changeOrigin`): the service takes requests of the same origin only.
      proxy: { '/v1': { target: serviceUrl }, '/ws': { target: serviceUrl, ws: true } },
    },
  });
  await server.listen();
  const url = server.resolvedUrls?.local[0]?.replace(/\/$/, '');
  if (url === undefined) throw new Error('the page has no address');
  return { url, close: () => server.close() };
}
