// What the compiler copies not and the service reads at run time: SQL, Lua, and the built pages.
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { root } from './workspace.mjs';

const service = path.join(root, 'services/messaging');
cpSync(path.join(service, 'src'), path.join(service, 'dist'), {
  recursive: true,
  filter: (file) => !path.extname(file) || ['.sql', '.lua'].includes(path.extname(file)),
});
const pages = path.join(service, 'dist/pages');
rmSync(pages, { recursive: true, force: true });
for (const name of ['console', 'demo']) {
  cpSync(path.join(root, 'apps', name, 'dist'), path.join(pages, name), { recursive: true });
}
