// The compiler copies no SQL and no Lua, and the service reads both at run time.
import { cpSync } from 'node:fs';
import path from 'node:path';
import { root } from './workspace.mjs';

const service = path.join(root, 'services/messaging');
cpSync(path.join(service, 'src'), path.join(service, 'dist'), {
  recursive: true,
  filter: (file) => !path.extname(file) || ['.sql', '.lua'].includes(path.extname(file)),
});
