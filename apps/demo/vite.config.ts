import { defineConfig } from 'vite';

const service = process.env['HTTP_URL'] ?? 'http://127.0.0.1:8083';

export default defineConfig({
  root: import.meta.dirname,
  base: '/demo/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    // All files in one folder: the service has one route for them.
    assetsDir: '',
    // A picture inside the page as a `data:` address would need a hole in the content policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
  // `pnpm --filter @sanctum/demo dev`, beside a service on this machine.
  server: {
    proxy: { '/v1': service, '/demo/token': service, '/ws': { target: service, ws: true } },
  },
});
