import { existsSync } from 'node:fs';

/** Where a built page is: beside the compiled service, or, where the sources run, in the app's own folder. */
export function pageFolder(name: 'console' | 'demo'): URL {
  const packed = new URL(`./pages/${name}/`, import.meta.url);
  return existsSync(packed) ? packed : new URL(`../../../apps/${name}/dist/`, import.meta.url);
}
