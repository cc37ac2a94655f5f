import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // The address of a proxy in front may have a path.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    // A picture inside the page as a `data:` address would need a hole in the content policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // `pnpm --filter @sanctum/console dev`, beside a service on this machine.
  server: { proxy: { '/admin': process.env['ADMIN_URL'] ?? 'http://127.0.0.1:8084' } },
});
